// Choosing many images: how many are selected, all or none, ranges with Shift, arrows between the images.
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

  // Shift + click must select images, not words.
  document.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest?.("[data-grid]")) event.preventDefault();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "grid-form" || boxes().some((box) => box.checked)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent("touchline:tell", { detail: "Select at least one image first: a click, Space, or A for all." }));
  }, true);

  const columns = (all) => {
    const top = all[0].closest(".cell").offsetTop;
    return all.findIndex((box) => box.closest(".cell").offsetTop > top) || all.length;
  };
  document.addEventListener("keydown", (event) => {
    if (document.documentElement.dataset.hotkeys === "off" || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.altKey || event.metaKey || !event.key.startsWith("Arrow")) return;
    const all = boxes();
    const focus = document.activeElement;
    if (!all.length || focus?.matches("select, textarea, input:not([type=checkbox])")) return;
    const at = all.indexOf(focus?.closest(".cell")?.querySelector("input") ?? focus);
    const across = Math.max(columns(all), 1);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
    const next = all[at < 0 ? 0 : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.closest(".cell").scrollIntoView({ block: "nearest" });
  });

  document.addEventListener("htmx:after:swap", () => {
    last = null;
    count();
  });
  count();
})();
