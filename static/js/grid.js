// Choosing many images: how many are selected, all, a group or none, ranges with Shift, arrows between the images.
(() => {
  "use strict";

  const boxes = () => [...document.querySelectorAll("[data-grid] input[type=checkbox]")];
  let last = null; // the box that was clicked last: where a range begins

  const count = () => {
    const all = boxes();
    const chosen = all.filter((box) => box.checked).length;
    const place = document.querySelector("[data-selected] b");
    if (place) place.textContent = String(chosen);
    const toggle = document.querySelector("[data-select-all]");
    if (toggle?.firstChild) toggle.firstChild.textContent = chosen === all.length && chosen ? "Select none" : `Select all ${all.length}`;
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-select-all]")) {
      const all = boxes();
      const every = all.every((box) => box.checked);
      for (const box of all) box.checked = !every;
      count();
      return;
    }
    const group = event.target.closest?.("[data-select-group]");
    if (group) {
      const mine = [...group.closest(".group-head").nextElementSibling.querySelectorAll("input[type=checkbox]")];
      const every = mine.every((box) => box.checked);
      for (const box of mine) box.checked = !every;
      count();
      return;
    }
    const box = event.target;
    if (!box.matches?.("[data-grid] input[type=checkbox]")) return;
    const all = boxes();
    const from = all.indexOf(last);
    const to = all.indexOf(box);
    if (event.shiftKey && from >= 0) {
      for (const between of all.slice(Math.min(from, to), Math.max(from, to) + 1)) between.checked = box.checked;
    }
    last = box;
    count();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-grid] input")) count();
  });

  // A range: every box between two becomes what the last one is.
  const fill = (from, to, checked) => {
    const all = boxes();
    const [a, b] = [all.indexOf(from), all.indexOf(to)];
    if (a < 0 || b < 0) return;
    for (const between of all.slice(Math.min(a, b), Math.max(a, b) + 1)) between.checked = checked;
    count();
  };

  // Shift + click must select images, not words.
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest?.("[data-grid]")) event.preventDefault();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "grid-form" || !boxes().length || boxes().some((box) => box.checked)) return;
    if (event.submitter?.hasAttribute("data-rest")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent("touchline:tell", { detail: "Select at least one image first: a click, Space, or A for all." }));
  }, true);

  // Up and down go by what is seen: groups begin rows of their own, so counting columns would miss.
  const middle = (box) => {
    const place = box.closest(".cell").getBoundingClientRect();
    return { x: place.left + place.width / 2, y: place.top };
  };
  const above = (all, at, way) => {
    const here = middle(all[at]);
    let best = null;
    for (let i = at + way; i >= 0 && i < all.length; i += way) {
      const there = middle(all[i]);
      if (Math.abs(there.y - here.y) < 2) continue;
      if (best && Math.abs(there.y - best.y) >= 2) break; // that is the row beyond
      const off = Math.abs(there.x - here.x);
      if (!best || off < best.off) best = { box: all[i], off, y: there.y };
    }
    return best?.box;
  };
  const nextTo = (all, at, key) => {
    if (at < 0) return all[0];
    if (key === "ArrowLeft") return all[at - 1];
    if (key === "ArrowRight") return all[at + 1];
    return above(all, at, key === "ArrowUp" ? -1 : 1);
  };
  document.addEventListener("keydown", (event) => {
    if (document.documentElement.dataset.hotkeys === "off" || document.querySelector("dialog[open]")) return;
    if (event.defaultPrevented) return; // an arrow that somebody chose for an answer
    if (event.ctrlKey || event.altKey || event.metaKey || !event.key.startsWith("Arrow")) return;
    const all = boxes();
    const focus = document.activeElement;
    if (!all.length || focus?.matches("select, textarea, input:not([type=checkbox])")) return;
    const at = all.indexOf(focus?.closest(".cell")?.querySelector("input[type=checkbox]") ?? focus);
    const next = nextTo(all, at, event.key);
    if (!next) return;
    event.preventDefault();
    if (event.shiftKey && at >= 0) fill(all[at], next, true);
    last = next;
    next.focus();
    next.closest(".cell").scrollIntoView({ block: "nearest" });
  });

  // Shift + Space selects from the last box that was chosen to this one. Enter does what Space does: left to the
  // browser it would press the form's first button, and so save a verdict.
  let anchor = null;
  document.addEventListener("keydown", (event) => {
    const box = document.activeElement;
    if (![" ", "Enter"].includes(event.key) || !box?.matches?.("[data-grid] input[type=checkbox]")) return;
    if (event.key === "Enter") {
      event.preventDefault();
      if (!event.repeat && !event.shiftKey) box.click();
    }
    if (!event.shiftKey || !anchor?.isConnected) {
      anchor = box;
      return;
    }
    event.preventDefault();
    fill(anchor, box, true);
    anchor = box;
  });

  // What scrolls into sight must not stop behind the head of the page or the bar of answers, however high they are.
  const leaveRoom = () => {
    const height = (selector) => `${(document.querySelector(selector)?.offsetHeight ?? 0) + 8}px`;
    document.documentElement.style.scrollPaddingTop = height("body > header");
    document.documentElement.style.scrollPaddingBottom = height(".grid-bar");
  };
  window.addEventListener("resize", leaveRoom);

  document.addEventListener("htmx:after:swap", () => {
    last = null;
    anchor = null;
    count();
    leaveRoom();
  });
  window.addEventListener("pageshow", count); // Back: only now the browser has put the marks where they were
  count();
  leaveRoom();
})();
