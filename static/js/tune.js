// How an image is looked at: brightness, contrast, and from which confidence on boxes are drawn. The view alone
// changes, never a file, a flag or a score. Brightness and contrast stay for this tab, the rest for this browser.
(() => {
  "use strict";

  const LIMITS = { brightness: [-6, 10], contrast: [-6, 10], threshold: [0, 1] };
  const STEPS = { brightness: 1, contrast: 1, threshold: 0.05 };
  const WORDS = { brightness: "Brightness", contrast: "Contrast", threshold: "Boxes from" };
  const stageNow = () => document.querySelector("[data-stage]");

  // A browser may forbid storage: then a choice lasts as long as the page.
  const read = (storage, name) => { try { return window[storage].getItem(name); } catch { return null; } };
  const write = (storage, name, value) => {
    try {
      if (value === null) window[storage].removeItem(name);
      else window[storage].setItem(name, String(value));
    } catch { /* see above */ }
  };
  const asNumber = (text, name) => {
    const number = text === null ? NaN : Number(text);
    return number >= LIMITS[name][0] && number <= LIMITS[name][1] ? number : null;
  };

  const chosen = {
    brightness: asNumber(read("sessionStorage", "touchline.brightness"), "brightness") ?? 0,
    contrast: asNumber(read("sessionStorage", "touchline.contrast"), "contrast") ?? 0,
    threshold: asNumber(read("localStorage", "touchline.boxes-from"), "threshold"), // null: as the server draws them
  };
  let open = false;

  const factor = (name) => (name === "brightness" ? 1.2 : 1.15) ** chosen[name];
  const valueOf = (name, stage) => (name === "threshold" ? chosen.threshold ?? Number(stage?.dataset.threshold ?? 0.5) : chosen[name]);
  const wordsOf = (name, stage) =>
    name === "threshold" ? valueOf(name, stage).toFixed(2) : `${Math.round(factor(name) * 100)} %`;

  const drawBoxes = (stage) => {
    for (const box of stage.querySelectorAll(".box[data-confidence]")) {
      box.dataset.below ??= String(box.classList.contains("is-below"));
      const below = chosen.threshold === null ? box.dataset.below === "true" : Number(box.dataset.confidence) < chosen.threshold;
      box.classList.toggle("is-below", below);
    }
  };

  const apply = () => {
    const root = document.documentElement;
    const tuned = Boolean(chosen.brightness || chosen.contrast);
    root.classList.toggle("is-tuned", tuned); // a filter costs paint, so there is none where none is wanted
    root.style.setProperty("--brightness", factor("brightness").toFixed(4));
    root.style.setProperty("--contrast", factor("contrast").toFixed(4));
    const stage = stageNow();
    if (!stage) return;
    drawBoxes(stage);
    for (const input of stage.querySelectorAll("[data-tune]")) {
      input.value = String(valueOf(input.dataset.tune, stage));
      input.setAttribute("aria-valuetext", wordsOf(input.dataset.tune, stage));
      stage.querySelector(`[data-shown="${input.dataset.tune}"]`).textContent = wordsOf(input.dataset.tune, stage);
    }
    const panel = stage.querySelector("[data-view-panel]");
    if (panel) panel.hidden = !open;
    stage.querySelector("[data-view]")?.setAttribute("aria-expanded", String(open));
    const changed = tuned || chosen.threshold !== null;
    stage.querySelector("[data-view-mark]")?.toggleAttribute("hidden", !changed);
    stage.classList.toggle("is-changed", changed);
  };

  const set = (name, value) => {
    const [low, high] = LIMITS[name];
    chosen[name] = Math.min(high, Math.max(low, Math.round(value * 100) / 100));
    if (name === "threshold") write("localStorage", "touchline.boxes-from", chosen.threshold);
    else write("sessionStorage", `touchline.${name}`, chosen[name] || null);
    apply();
  };
  const say = (text) => document.dispatchEvent(new CustomEvent("touchline:say", { detail: text }));

  document.addEventListener("input", (event) => {
    const name = event.target.dataset?.tune;
    if (name) set(name, Number(event.target.value));
  });
  document.addEventListener("click", (event) => {
    const step = event.target.closest?.("[data-step]");
    if (step) {
      const name = step.dataset.step;
      set(name, valueOf(name, stageNow()) + Number(step.dataset.by) * STEPS[name]);
      say(`${WORDS[name]} ${wordsOf(name, stageNow())}`);
    } else if (event.target.closest?.("[data-tune-reset]")) {
      set("brightness", 0);
      set("contrast", 0);
      chosen.threshold = null;
      write("localStorage", "touchline.boxes-from", null);
      apply();
      say("The view is as it was");
    } else if (event.target.closest?.("[data-view]")) {
      open = !open;
      apply();
    }
  });

  document.addEventListener("htmx:after:swap", apply);
  apply();
})();
