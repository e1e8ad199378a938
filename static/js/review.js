// The stage (zoom, pan, hidden boxes), and the time spent on a card.
// Everything listens on the document, so it survives each swap of the card.
(() => {
  "use strict";

  const MAX_ZOOM = 24;
  const STEP = 1.0018; // zoom per wheel pixel
  const views = new WeakMap(); // stage -> {zoom, x, y}; x and y place the canvas in the stage, in CSS pixels
  let boxesOff = false; // chosen with the button; stays from card to card
  let pointer = null; // where the mouse last was, over a stage

  const stageNow = () => document.querySelector("[data-stage]");
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // -- geometry ----------------------------------------------------------------------------------------------
  const measure = (stage) => {
    const box = stage.getBoundingClientRect();
    const w = Number(stage.dataset.w) || 1;
    const h = Number(stage.dataset.h) || 1;
    return { left: box.left, top: box.top, width: box.width, height: box.height, w, h, fit: Math.min(box.width / w, box.height / h) };
  };

  // Along one axis: centred while it fits, else never past its edge.
  const place = (offset, zoom, room, content) => {
    const margin = (zoom * room - content) / 2;
    if (content <= room) return (room - zoom * room) / 2;
    return clamp(offset, room - content - margin, -margin);
  };

  const draw = (stage) => {
    const size = measure(stage);
    if (!size.width || !size.height) return;
    const view = views.get(stage) ?? { zoom: 1, x: 0, y: 0 };
    const scale = size.fit * view.zoom;
    view.x = place(view.x, view.zoom, size.width, size.w * scale);
    view.y = place(view.y, view.zoom, size.height, size.h * scale);
    views.set(stage, view);
    const canvas = stage.querySelector("[data-canvas]");
    // Laid out at its size, not scaled as a picture: strokes keep their width and pixels stay sharp.
    canvas.style.left = `${view.x}px`;
    canvas.style.top = `${view.y}px`;
    canvas.style.width = `${view.zoom * size.width}px`;
    canvas.style.height = `${view.zoom * size.height}px`;
    for (const label of stage.querySelectorAll(".box-label")) label.setAttribute("transform", `scale(${(1 / scale).toFixed(5)})`);
    stage.classList.toggle("is-zoomed", view.zoom > 1);
    stage.querySelector("[data-zoom]")?.setAttribute("aria-pressed", String(view.zoom > 1));
    const value = stage.querySelector("[data-zoom-value]");
    if (value) value.textContent = `${Math.round(scale * 100)} %`;
  };

  // Zoom so that the image point under (x, y), in stage pixels, stays where it is.
  const zoomAt = (stage, zoom, x, y) => {
    const view = views.get(stage) ?? { zoom: 1, x: 0, y: 0 };
    const next = clamp(zoom, 1, MAX_ZOOM);
    const ratio = next / view.zoom;
    views.set(stage, { zoom: next, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio });
    draw(stage);
  };

  const centreOn = (stage, zoom, imageX, imageY) => {
    const size = measure(stage);
    const next = clamp(zoom, 1, MAX_ZOOM);
    const scale = size.fit * next;
    const x = size.width / 2 - ((next * size.width - size.w * scale) / 2 + imageX * scale);
    const y = size.height / 2 - ((next * size.height - size.h * scale) / 2 + imageY * scale);
    views.set(stage, { zoom: next, x, y });
    draw(stage);
  };

  // Z and the button: in on the pointer, else on the strongest box, else on the middle; and back to fit.
  const toggleZoom = (stage) => {
    const size = measure(stage);
    if ((views.get(stage)?.zoom ?? 1) > 1) {
      views.set(stage, { zoom: 1, x: 0, y: 0 });
      draw(stage);
      return;
    }
    const close = Math.max(1 / size.fit, 3); // at least 1:1
    if (pointer && pointer.stage === stage) {
      zoomAt(stage, close, pointer.x - size.left, pointer.y - size.top);
      return;
    }
    const [x, y, side] = (stage.dataset.crop ?? "").split(" ").map(Number);
    if (side) centreOn(stage, Math.max(close, Math.min(size.width, size.height) / (side * 1.4 * size.fit)), x + side / 2, y + side / 2);
    else centreOn(stage, close, size.w / 2, size.h / 2);
  };

  // -- hands -------------------------------------------------------------------------------------------------
  document.addEventListener("wheel", (event) => {
    const stage = event.target.closest?.("[data-stage]");
    if (!stage || event.ctrlKey) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 20 : event.deltaMode === 2 ? 400 : 1);
    const size = measure(stage);
    zoomAt(stage, (views.get(stage)?.zoom ?? 1) * STEP ** -pixels, event.clientX - size.left, event.clientY - size.top);
  }, { passive: false });

  const touching = new Map(); // pointerId -> {x, y}
  const spread = () => {
    const [a, b] = [...touching.values()];
    return { distance: Math.hypot(a.x - b.x, a.y - b.y) || 1, x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };

  document.addEventListener("pointerdown", (event) => {
    const stage = event.target.closest?.("[data-stage]");
    if (!stage || event.button !== 0 || event.target.closest("button, [data-view-panel]")) return;
    if (stage.classList.contains("is-editing")) return; // then a drag draws: see boxes.js
    if ((views.get(stage)?.zoom ?? 1) <= 1) return;
    touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("is-panning");
  });

  document.addEventListener("pointermove", (event) => {
    const stage = event.target.closest?.("[data-stage]");
    if (event.pointerType === "mouse") {
      pointer = stage && !event.target.closest("button") ? { stage, x: event.clientX, y: event.clientY } : null;
    }
    const before = touching.get(event.pointerId);
    if (!before || !stage) return;
    const view = views.get(stage);
    const was = touching.size === 2 ? spread() : null;
    touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (was) {
      const now = spread();
      const size = measure(stage);
      zoomAt(stage, view.zoom * (now.distance / was.distance), now.x - size.left, now.y - size.top);
    } else if (touching.size === 1) {
      view.x += event.clientX - before.x;
      view.y += event.clientY - before.y;
      draw(stage);
    }
  });

  const letGo = (event) => {
    if (!touching.delete(event.pointerId)) return;
    if (!touching.size) stageNow()?.classList.remove("is-panning");
  };
  document.addEventListener("pointerup", letGo);
  document.addEventListener("pointercancel", letGo);

  // -- boxes -------------------------------------------------------------------------------------------------
  const showBoxes = (off) => {
    const stage = stageNow();
    stage?.classList.toggle("boxes-hidden", off);
    stage?.querySelector("[data-boxes]")?.setAttribute("aria-pressed", String(off));
  };
  document.addEventListener("hotkey:down", (event) => { if (event.target.matches("[data-boxes]")) showBoxes(true); });
  document.addEventListener("hotkey:up", () => showBoxes(boxesOff));
  document.addEventListener("click", (event) => {
    const stage = event.target.closest?.("[data-stage]");
    if (!stage) return;
    if (event.target.closest("[data-zoom]")) toggleZoom(stage);
    if (event.target.closest("[data-boxes]")) {
      boxesOff = !boxesOff;
      showBoxes(boxesOff);
    }
  });

  const tellMissing = (image) => image.closest("[data-stage]").querySelector("[data-stage-missing]")?.removeAttribute("hidden");
  document.addEventListener("error", (event) => {
    if (event.target.matches?.("[data-stage-image]")) tellMissing(event.target);
  }, true);

  // -- time spent, not counting a page that nobody sees ----------------------------------------------------------
  let spent = 0;
  let since = document.hidden ? null : performance.now();
  const tick = () => {
    const now = performance.now();
    if (since !== null) spent += now - since;
    since = document.hidden ? null : now;
  };
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("touchline:seen", () => {
    spent = 0;
    since = null;
    tick();
  });
  document.addEventListener("submit", (event) => {
    const field = event.target.querySelector?.("[data-spent]");
    if (!field) return;
    tick();
    field.value = String(Math.round(spent));
  }, true);

  // -- each card -----------------------------------------------------------------------------------------------
  const resized = new ResizeObserver((entries) => entries.forEach((entry) => draw(entry.target)));
  let watched = null;
  const start = () => {
    const stage = stageNow();
    if (stage === watched) return;
    resized.disconnect();
    watched = stage;
    pointer = null;
    touching.clear();
    if (!stage) return;
    const image = stage.querySelector("[data-stage-image]");
    if (image?.complete && !image.naturalWidth) tellMissing(image); // it failed before this script ran
    draw(stage);
    showBoxes(boxesOff);
    resized.observe(stage);
  };
  document.addEventListener("htmx:after:swap", start);
  start();
})();
