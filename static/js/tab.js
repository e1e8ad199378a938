// What is in a tab's hand no other tab gets, not even one of the same browser: each has an id of its own, and says it with
// every request of htmx. A page that is opened cannot: it comes under the browser's id, which is the first tab's.
(() => {
  "use strict";

  const NAME = "touchline.tab";
  const CLAIM = "touchline.tab.";
  const BEAT_MS = 20_000;
  const ALIVE_MS = 150_000; // a tab in the background beats once a minute
  const browser = document.currentScript.dataset.browser;

  const newId = () =>
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (Number(digit) ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (Number(digit) / 4)))).toString(16));
  const isTaken = (id) => Date.now() - Number(localStorage.getItem(CLAIM + id)) < ALIVE_MS;
  const forgetTheDead = () => {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(CLAIM) && !isTaken(key.slice(CLAIM.length))) localStorage.removeItem(key);
    }
  };

  let id = null; // where storage is forbidden all tabs of a browser are one
  const settle = () => {
    const known = sessionStorage.getItem(NAME) ?? browser;
    id = isTaken(known) ? newId() : known; // a copy of a tab has its storage, and a new one the browser's id
    sessionStorage.setItem(NAME, id);
    localStorage.setItem(CLAIM + id, String(Date.now()));
  };
  try {
    settle();
    forgetTheDead();
  } catch {
    id = null;
    return;
  }

  setInterval(() => localStorage.setItem(CLAIM + id, String(Date.now())), BEAT_MS);
  window.addEventListener("pagehide", () => localStorage.removeItem(CLAIM + id));
  window.addEventListener("pageshow", (event) => { if (event.persisted) settle(); });
  document.addEventListener("htmx:config:request", (event) => { event.detail.ctx.request.headers["Touchline-Tab"] = id; });

  // The card that came is the first tab's: here its own takes the place, or the same where the address names it.
  const { home, url } = document.getElementById("card")?.dataset ?? {};
  const own = new URLSearchParams(location.search).has("image") ? url : home;
  if (id !== browser && own) htmx.ajax("GET", own, { target: "#card", swap: "outerHTML" });
})();
