// Keys are data: data-hotkey="1" on a real button or link, and this script clicks it. No key is known here.
// data-hotkey-hold="h" gets "hotkey:down" and "hotkey:up" events instead, for keys that act while held;
// data-hotkey-always marks a button whose key acts also while the button is out of sight.
(() => {
  "use strict";

  // A card must have been seen this long before an answer to it counts: a second press of the key that
  // answered the card before, or a double click, would otherwise answer this one unseen.
  const DWELL_MS = 120;
  const DOUBLE_CLICK_MS = 350;

  // While one of these is open, keys belong to it.
  const OVERLAY = CSS.supports("selector(:popover-open)") ? "dialog[open], :popover-open" : "dialog[open]";

  const underWay = new Set(); // requests that will replace the card
  let shownAt = performance.now(); // when the card was put on the page
  let seenAt = Infinity; // when its image stood there; an answer waits for this

  const on = () => document.documentElement.dataset.hotkeys !== "off";
  const scopeOf = (element) => element?.closest?.("[data-hotkey-scope]");

  // -- when a press counts -----------------------------------------------------------------------------------
  const imageOf = (root) => root.querySelector("[data-hotkey-scope] [data-stage-image]");

  const noteCard = () => {
    shownAt = performance.now();
    const image = imageOf(document);
    seenAt = !image || image.complete ? shownAt : Infinity;
    announce();
  };
  const noteImage = (event) => {
    if (event.target !== imageOf(document) || seenAt !== Infinity) return;
    seenAt = performance.now();
    announce();
  };
  const announce = () => {
    if (seenAt !== Infinity) document.dispatchEvent(new CustomEvent("touchline:seen"));
  };
  const isOpen = (isAnswer) =>
    underWay.size === 0 && performance.now() >= (isAnswer ? seenAt : shownAt) + DWELL_MS;

  document.addEventListener("load", noteImage, true);
  document.addEventListener("error", noteImage, true);
  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (scopeOf(ctx.target) && ctx.sourceElement !== ctx.target) underWay.add(ctx);
  });
  document.addEventListener("htmx:finally:request", (event) => underWay.delete(event.detail.ctx));
  document.addEventListener("htmx:after:swap", (event) => {
    if (scopeOf(event.target)) noteCard();
  });

  const drop = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // Mouse, touch, Enter and keys all end in a click or a submit; here each of them is dropped alike,
  // before htmx or the browser acts on it.
  document.addEventListener("submit", (event) => {
    if (scopeOf(event.target) && event.target.hasAttribute("hx-sync") && !isOpen(event.target.hasAttribute("data-verdict-form"))) drop(event);
  }, true);
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("a[hx-get], button[type=submit]");
    if (!target || !scopeOf(target)) return;
    const secondOfDouble = event.detail > 1 && performance.now() < shownAt + DOUBLE_CLICK_MS;
    if (secondOfDouble || (target.matches("a[hx-get]") && !isOpen(false))) drop(event);
  }, true);

  // -- keys ------------------------------------------------------------------------------------------------
  const isTyping = (element) =>
    element?.isContentEditable ||
    element?.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])");

  // The digit row gives other signs on some keyboards (AZERTY), so a digit is also known by its place.
  const namesOf = (event) => {
    const names = [event.key];
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    if (digit && !event.shiftKey) names.push(digit[1]);
    if (event.key.length === 1 && !event.shiftKey) names.push(event.key.toLowerCase());
    return names;
  };
  const find = (attribute, event) => {
    const names = namesOf(event);
    return [...document.querySelectorAll(`[${attribute}]`)].find(
      (element) => names.includes(element.getAttribute(attribute)) && !element.disabled &&
        (element.hasAttribute("data-hotkey-always") || element.checkVisibility()));
  };
  const isMine = (event) =>
    on() && !event.defaultPrevented && !event.isComposing && !event.ctrlKey && !event.altKey && !event.metaKey &&
    !isTyping(event.target) && !document.querySelector(OVERLAY);

  const held = new Map(); // event.code -> element
  const release = (code) => {
    held.get(code)?.dispatchEvent(new CustomEvent("hotkey:up", { bubbles: true }));
    held.delete(code);
  };

  document.addEventListener("keydown", (event) => {
    if (!isMine(event)) return;
    const hold = find("data-hotkey-hold", event);
    if (hold) {
      event.preventDefault();
      if (event.repeat || held.has(event.code)) return;
      held.set(event.code, hold);
      hold.dispatchEvent(new CustomEvent("hotkey:down", { bubbles: true }));
      return;
    }
    const element = find("data-hotkey", event);
    if (!element) return;
    event.preventDefault();
    if (!event.repeat) element.click();
  });
  document.addEventListener("keyup", (event) => release(event.code));
  window.addEventListener("blur", () => [...held.keys()].forEach(release));

  noteCard();
})();
