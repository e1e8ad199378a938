// The rest of the desk: enlargements, the note, the guidelines, and the browser's Back.
(() => {
  "use strict";

  const say = (text) => document.dispatchEvent(new CustomEvent("touchline:say", { detail: text }));
  const cardNow = () => document.getElementById("card");

  // -- enlargements ----------------------------------------------------------------------------------------------
  let pixels = false; // pixel by pixel rather than smoothed; remembered in this browser
  try { pixels = localStorage.getItem("touchline.pixels") === "on"; } catch { /* storage forbidden: as long as the page */ }

  const showPixels = () => {
    document.documentElement.classList.toggle("is-pixelated", pixels);
    document.querySelector("[data-pixels]")?.setAttribute("aria-pressed", String(pixels));
  };
  const enlarge = (crop) => {
    for (const each of crop.closest("[data-crops]").querySelectorAll("[data-crop-at]")) {
      each.classList.toggle("is-large", each === crop);
      each.setAttribute("aria-pressed", String(each === crop));
    }
  };
  const enlargeNext = (crops) => {
    const all = [...crops.querySelectorAll("[data-crop-at]")];
    const next = all[(all.findIndex((each) => each.classList.contains("is-large")) + 1) % all.length];
    enlarge(next);
    say(next.getAttribute("aria-label"));
  };

  // -- guidelines --------------------------------------------------------------------------------------------------
  const guide = () => document.getElementById("guidelines");
  const showGuide = (open) => {
    const panel = guide();
    if (!panel) return;
    panel.hidden = !open;
    if (open) panel.focus();
    else document.querySelector("#card [data-focus]")?.focus({ preventScroll: true });
  };

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest?.(selector);
    if (at("[data-crop-next]")) enlargeNext(at("[data-crops]"));
    else if (at("[data-crop-at]")) enlarge(at("[data-crop-at]"));
    else if (at("[data-pixels]")) {
      pixels = !pixels;
      try { localStorage.setItem("touchline.pixels", pixels ? "on" : "off"); } catch { /* see above */ }
      showPixels();
      say(pixels ? "Pixel by pixel" : "Smoothed");
    } else if (at("[data-guidelines]") && guide() && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      showGuide(guide().hidden);
    } else if (at("[data-guidelines-close]")) showGuide(false);
    else if (at("[data-note]")) at("[data-note]").focus(); // its key clicks it
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.("[data-note]")) {
      if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
        event.preventDefault();
        document.querySelector("#card [data-focus]")?.focus({ preventScroll: true });
      }
    } else if (event.key === "Escape" && guide()?.contains(event.target)) showGuide(false);
  });

  // -- back and forward --------------------------------------------------------------------------------------------
  const here = () => location.pathname + location.search;
  const load = (url) => htmx.ajax("GET", url, { target: "#card", swap: "outerHTML" });
  const first = cardNow();
  if (first?.dataset.url) history.replaceState(history.state, "", first.dataset.url); // a reload shows this card again
  window.addEventListener("popstate", () => {
    const card = cardNow();
    if (card && card.dataset.url !== here()) load(here());
  });
  // A page that the browser kept as it was may show a verdict that was taken back on another page meanwhile.
  window.addEventListener("pageshow", (event) => { if (event.persisted && cardNow()?.dataset.url) load(here()); });

  document.addEventListener("htmx:after:swap", showPixels);
  showPixels();
})();
