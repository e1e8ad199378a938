// The form of keys: a key that is pressed in a field is written into it by its name.
(() => {
  "use strict";

  const NAMED = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "Insert"];
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest?.("[data-key-input]");
    if (!field || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    // Delete and Backspace empty the field, as everywhere; Tab, Enter and Escape stay what they are.
    const isSign = event.key.length === 1 && event.key !== " ";
    if (!isSign && !NAMED.includes(event.key)) return;
    event.preventDefault();
    field.value = isSign ? event.key.toLowerCase() : event.key;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
