// Boxes by hand: accept, delete, draw, move and resize, by pointer, touch and keyboard. Never needed: without a touch
// the field stays as it came. Boxes are [x0, y0, x1, y1] in pixels of the upright image, and go along with the verdict.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const CLICK_PX = 4; // a shorter drag is a click
  const LEAST = 1; // image pixels: no box is thinner
  const GRIP_PX = { mouse: 8, pen: 12, touch: 22 };

  let desk = null; // of the card on the page: {stage, items, chosen, past, dirty, editing}
  const say = (text) => document.dispatchEvent(new CustomEvent("touchline:say", { detail: text }));
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const round = (value) => Math.round(value * 100) / 100;

  // -- what there is -------------------------------------------------------------------------------------------------
  const fieldOf = () => document.querySelector("[data-boxes-field]");
  const readField = () => { try { return JSON.parse(fieldOf()?.value || "[]"); } catch { return []; } };

  const detected = (stage) =>
    // The strongest is drawn last, on top; here it comes first.
    [...stage.querySelectorAll(".box[data-confidence]:not(.is-below)")].reverse().map((element) => {
      const rect = element.querySelector(".box-line");
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
      return { xyxy: [x, y, x + w, y + h], human: false, confidence: Number(element.dataset.confidence), element };
    });

  const open = (stage) => ({
    stage,
    w: Number(stage.dataset.w),
    h: Number(stage.dataset.h),
    svg: stage.querySelector("[data-human]"),
    editor: stage.querySelector("[data-editor]"),
    items: readField().map((xyxy) => ({ xyxy, human: true })),
    chosen: null,
    past: [],
    dirty: false,
    editing: false,
  });
  const humans = () => desk.items.filter((item) => item.human);

  // -- drawing them --------------------------------------------------------------------------------------------------
  const cornersOf = ([x0, y0, x1, y1]) => {
    const arm = Math.min(x1 - x0, y1 - y0) * 0.3;
    return `M${x0} ${y0 + arm}V${y0}H${x0 + arm}M${x1 - arm} ${y0}H${x1}V${y0 + arm}` +
      `M${x1} ${y1 - arm}V${y1}H${x1 - arm}M${x0 + arm} ${y1}H${x0}V${y1 - arm}`;
  };
  const path = (name, d) => {
    const element = document.createElementNS(SVG, "path");
    element.setAttribute("class", name);
    element.setAttribute("d", d);
    return element;
  };
  const group = (name, ...paths) => {
    const element = document.createElementNS(SVG, "g");
    element.setAttribute("class", name);
    element.append(...paths);
    return element;
  };
  const drawOne = (item) => {
    const d = cornersOf(item.xyxy);
    return group("human-box", path("human-case", d), path("human-line", d));
  };
  // Dots of a fixed size at any zoom: lines without length, whose stroke does not scale.
  const drawChosen = ({ xyxy }) => {
    const scale = scaleNow();
    const small = Math.min(xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]) * scale < 36;
    const pad = small ? 7 / scale : 0; // around a small box, so that it is not hidden under its own dots
    const [x0, y0, x1, y1] = [xyxy[0] - pad, xyxy[1] - pad, xyxy[2] + pad, xyxy[3] + pad];
    const frame = `M${x0} ${y0}H${x1}V${y1}H${x0}Z`;
    const dots = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(([x, y]) => `M${x} ${y}h0.001`).join("");
    return group("chosen-box", path("chosen-case", frame), path("chosen-line", frame), path("chosen-dots-case", dots), path("chosen-dots", dots));
  };
  const redraw = () => {
    desk.svg.replaceChildren(...humans().map(drawOne), ...(desk.editing && desk.chosen ? [drawChosen(desk.chosen)] : []));
    const left = new Set(desk.items.map((item) => item.element).filter(Boolean));
    for (const element of desk.stage.querySelectorAll(".box[data-confidence]")) {
      const item = desk.items.find((each) => each.element === element);
      element.classList.toggle("is-taken", desk.dirty && (item ? item.human : !element.classList.contains("is-below") && !left.has(element)));
    }
    if (desk.dirty) fieldOf().value = JSON.stringify(humans().map((item) => item.xyxy.map(round)));
    const said = document.querySelector("[data-boxes-said]");
    if (said) {
      const count = humans().length;
      said.hidden = !count && !desk.dirty;
      said.textContent = count ? `${count} ${count === 1 ? "box goes" : "boxes go"} along with Yes or Unsure` : "No box by hand goes along";
    }
    for (const button of desk.stage.querySelectorAll("[data-edit-bar] [data-do]")) {
      button.disabled = { accept: !desk.chosen || desk.chosen.human, delete: !desk.chosen, back: !desk.past.length }[button.dataset.do] ?? false;
    }
  };

  // -- changing them -------------------------------------------------------------------------------------------------
  const remember = () => {
    desk.past.push({ items: desk.items.map((item) => ({ ...item, xyxy: [...item.xyxy] })), chosen: desk.items.indexOf(desk.chosen), dirty: desk.dirty });
    desk.dirty = true;
  };
  const takeBack = () => {
    const before = desk.past.pop();
    if (!before) {
      say("Nothing to take back");
      return;
    }
    desk.items = before.items;
    desk.chosen = before.items[before.chosen] ?? null;
    fieldOf().value = JSON.stringify(humans().map((item) => item.xyxy.map(round)));
    desk.dirty = before.dirty;
    if (!desk.dirty) fieldOf().value = desk.first;
    redraw();
    say(`Taken back. ${countWords()}`);
  };
  const nameOf = (item) => (item.human ? "box by hand" : `detector's box, confidence ${item.confidence.toFixed(2)}`);
  const sizeOf = ({ xyxy: [x0, y0, x1, y1] }) =>
    `${Math.round(x1 - x0)} by ${Math.round(y1 - y0)} pixels at ${Math.round(x0)}, ${Math.round(y0)}`;
  const countWords = () => `${humans().length} by hand, ${desk.items.length - humans().length} of the detector.`;
  const sayChosen = () => {
    if (desk.chosen) say(`Box ${desk.items.indexOf(desk.chosen) + 1} of ${desk.items.length}: ${nameOf(desk.chosen)}, ${sizeOf(desk.chosen)}`);
  };
  let later = 0;
  const sayLater = () => {
    clearTimeout(later);
    later = setTimeout(() => { if (desk?.chosen) say(sizeOf(desk.chosen)); }, 400);
  };
  const choose = (item) => {
    desk.chosen = item;
    redraw();
    sayChosen();
  };
  const step = (by) => {
    if (!desk.items.length) {
      say("No box here: C makes one");
      return;
    }
    const at = desk.items.indexOf(desk.chosen);
    choose(desk.items[at < 0 ? (by > 0 ? 0 : desk.items.length - 1) : (at + by + desk.items.length) % desk.items.length]);
  };
  const accept = () => {
    if (!desk.chosen || desk.chosen.human) return;
    remember();
    desk.chosen.human = true;
    redraw();
    say(`Accepted. ${countWords()}`);
  };
  const remove = () => {
    if (!desk.chosen) return;
    remember();
    const at = desk.items.indexOf(desk.chosen);
    desk.items.splice(at, 1);
    desk.chosen = desk.items[Math.min(at, desk.items.length - 1)] ?? null;
    redraw();
    say(`Deleted. ${countWords()}`);
  };
  const add = (xyxy) => {
    remember();
    const item = { xyxy, human: true };
    desk.items.push(item);
    desk.chosen = item;
    redraw();
    return item;
  };
  const addInMiddle = () => {
    const box = desk.stage.getBoundingClientRect();
    const [x, y] = toImage(box.left + box.width / 2, box.top + box.height / 2);
    const side = Math.min(desk.w, desk.h, Math.max(12, 60 / scaleNow()));
    const x0 = round(clamp(x - side / 2, 0, desk.w - side));
    const y0 = round(clamp(y - side / 2, 0, desk.h - side));
    add([x0, y0, round(x0 + side), round(y0 + side)]);
    sayChosen();
  };
  const moved = ([x0, y0, x1, y1], dx, dy) => {
    const mx = clamp(dx, -x0, desk.w - x1);
    const my = clamp(dy, -y0, desk.h - y1);
    return [x0 + mx, y0 + my, x1 + mx, y1 + my].map(round);
  };
  // Sides that are dragged beyond the opposite one turn the box over, as everywhere.
  const resized = (xyxy, sides, dx, dy) => {
    const [x0, y0, x1, y1] = xyxy.map((value, side) => clamp(value + (sides[side] ? (side % 2 ? dy : dx) : 0), 0, side % 2 ? desk.h : desk.w));
    const box = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
    for (const [low, high, limit] of [[0, 2, desk.w], [1, 3, desk.h]]) {
      if (box[high] - box[low] < LEAST) {
        box[low] = Math.min(box[low], limit - LEAST);
        box[high] = box[low] + LEAST;
      }
    }
    return box.map(round);
  };

  // -- pointer and touch ---------------------------------------------------------------------------------------------
  const scaleNow = () => desk.svg.getScreenCTM().a; // CSS pixels per image pixel
  const toImage = (x, y) => {
    const point = new DOMPoint(x, y).matrixTransform(desk.svg.getScreenCTM().inverse());
    return [clamp(point.x, 0, desk.w), clamp(point.y, 0, desk.h)];
  };
  const holds = ([x0, y0, x1, y1], [x, y], slack = 0) => x >= x0 - slack && x <= x1 + slack && y >= y0 - slack && y <= y1 + slack;
  const areaOf = ({ xyxy: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0);

  // Which sides of the chosen box a hand has got hold of; inside a small box they leave room to move it.
  const gripOf = (xyxy, [x, y], slack) => {
    if (!holds(xyxy, [x, y], slack)) return null;
    const [x0, y0, x1, y1] = xyxy;
    const inX = Math.min(slack, (x1 - x0) / 4);
    const inY = Math.min(slack, (y1 - y0) / 4);
    const sides = [x < x0 + inX, y < y0 + inY, x > x1 - inX, y > y1 - inY];
    return sides.some(Boolean) ? sides : null;
  };

  let drag = null; // {id, kind, from, screen, box, sides, fresh}
  const down = (event) => {
    if (!desk?.editing || event.target !== desk.editor || event.button !== 0 || drag) return;
    event.preventDefault();
    desk.editor.focus({ preventScroll: true });
    desk.editor.setPointerCapture(event.pointerId);
    const from = toImage(event.clientX, event.clientY);
    const slack = (GRIP_PX[event.pointerType] ?? 8) / scaleNow();
    const sides = desk.chosen && gripOf(desk.chosen.xyxy, from, slack);
    const kind = sides ? "resize" : desk.chosen && holds(desk.chosen.xyxy, from) ? "move" : "draw";
    drag = { id: event.pointerId, kind, from, sides, slack, screen: [event.clientX, event.clientY], box: kind === "draw" ? [...from, ...from] : [...desk.chosen.xyxy], begun: false };
  };
  const drags = (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.begun) {
      if (Math.hypot(event.clientX - drag.screen[0], event.clientY - drag.screen[1]) < CLICK_PX) return;
      drag.begun = true;
      if (drag.kind === "draw") {
        add([...drag.box]);
        drag.sides = [false, false, true, true];
      } else {
        remember();
        desk.chosen.human = true; // what a hand has changed is no longer the detector's
      }
    }
    const [x, y] = toImage(event.clientX, event.clientY);
    const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
    desk.chosen.xyxy = drag.kind === "move" ? moved(drag.box, dx, dy) : resized(drag.box, drag.sides, dx, dy);
    redraw();
  };
  const up = (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const { begun, from, slack } = drag;
    drag = null;
    if (begun) {
      sayChosen();
      return;
    }
    const under = desk.items.filter((item) => holds(item.xyxy, from, slack)).sort((a, b) => areaOf(a) - areaOf(b));
    if (under.length) choose(under[(under.indexOf(desk.chosen) + 1) % under.length]);
    else if (desk.chosen) choose(null);
  };
  const cancel = (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const { begun } = drag;
    drag = null;
    if (begun) takeBack();
  };
  document.addEventListener("pointerdown", down);
  document.addEventListener("pointermove", drags);
  document.addEventListener("pointerup", up);
  document.addEventListener("pointercancel", cancel);

  // -- keyboard --------------------------------------------------------------------------------------------------------
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const nudge = (event) => {
    if (!desk.chosen) {
      say("No box is chosen: Tab chooses one");
      return;
    }
    const [dx, dy] = ARROWS[event.key].map((by) => by * (event.shiftKey ? 10 : 1));
    if (!event.repeat) remember();
    desk.chosen.human = true;
    desk.chosen.xyxy = event.altKey ? resized(desk.chosen.xyxy, [false, false, true, true], dx, dy) : moved(desk.chosen.xyxy, dx, dy);
    redraw();
    sayLater();
  };
  const KEYS = {
    Tab: (event) => step(event.shiftKey ? -1 : 1),
    Enter: accept,
    Delete: remove,
    Backspace: remove,
    Escape: () => edit(false),
    c: addInMiddle,
  };
  const actionOf = (event) => {
    if (event.key in ARROWS) return event.ctrlKey || event.metaKey ? null : nudge;
    if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) return takeBack;
    if (event.ctrlKey || event.altKey || event.metaKey) return null;
    return KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key] ?? null;
  };
  // Before hotkeys.js: while boxes are edited these keys are the editor's. The others, answers too, stay what they are.
  window.addEventListener("keydown", (event) => {
    if (!desk?.editing || event.isComposing || document.querySelector("dialog[open]")) return;
    const focused = document.activeElement;
    const inBar = Boolean(focused?.closest("[data-edit-bar], .stage-tools"));
    if (focused !== desk.editor && focused !== document.body && !inBar) return;
    if (inBar && ["Tab", "Enter"].includes(event.key)) return; // there they are the button's
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || event.key in ARROWS) action(event);
  }, true);

  // -- beginning and ending --------------------------------------------------------------------------------------------
  const show = () => {
    const { stage, editor, editing } = desk;
    stage.classList.toggle("is-editing", editing);
    editor.hidden = !editing;
    stage.querySelector("[data-edit-bar]").hidden = !editing;
    stage.querySelector("[data-edit]").setAttribute("aria-pressed", String(editing));
    redraw();
  };
  const edit = (on) => {
    if (!desk || on === desk.editing) return;
    desk.editing = on;
    if (on) {
      desk.first ??= fieldOf().value;
      if (!desk.dirty) desk.items = [...desk.items.filter((item) => item.human), ...detected(desk.stage)];
      desk.chosen ??= desk.items[0] ?? null;
      show();
      desk.editor.focus({ preventScroll: true });
      say(`Editing boxes: ${countWords()} ${desk.chosen ? `Chosen: ${nameOf(desk.chosen)}, ${sizeOf(desk.chosen)}. ` : "Drag on the image, or press C, to draw one. "}Escape leaves.`);
    } else {
      show();
      document.querySelector("#card [data-focus]")?.focus({ preventScroll: true });
      say(`Boxes: ${countWords()}`);
    }
  };

  const BAR = { accept, delete: remove, new: addInMiddle, back: takeBack, leave: () => edit(false) };
  document.addEventListener("click", (event) => {
    if (!desk) return;
    if (event.target.closest?.("[data-edit]")) edit(!desk.editing);
    const button = event.target.closest?.("[data-edit-bar] [data-do]");
    if (!button) return;
    BAR[button.dataset.do]();
    if (desk.editing && button.disabled) desk.editor.focus({ preventScroll: true }); // a disabled button holds no focus
  });

  const start = () => {
    const stage = document.querySelector("#card [data-stage]");
    if (stage === desk?.stage) return;
    drag = null;
    desk = stage?.querySelector("[data-human]") && stage.querySelector("[data-editor]") && fieldOf() ? open(stage) : null;
    if (desk) redraw();
  };
  document.addEventListener("htmx:after:swap", start);
  start();
})();
