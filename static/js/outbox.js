// No verdict is lost: it is kept in this browser before it is sent, until the server has answered. Where the server
// does not answer it is sent again by itself, also after a reload; its request id makes it arrive once.
(() => {
  "use strict";

  const PREFIX = "touchline.outbox.";
  const FIRST_S = 0.5;
  const MOST_S = 15;
  const PATIENCE_MS = 15_000;
  const GRACE_MS = 1500; // another tab's verdict may be on its way this very moment

  const bar = document.getElementById("outbox");
  const cardNow = () => document.getElementById("card");
  const tell = (text) => document.dispatchEvent(new CustomEvent("touchline:tell", { detail: text }));
  const say = (text) => document.dispatchEvent(new CustomEvent("touchline:say", { detail: text }));

  // -- what is kept ------------------------------------------------------------------------------------------------
  const memory = new Map(); // where storage is forbidden or full, a verdict is kept as long as the page is open
  const keep = (entry) => {
    memory.set(entry.id, entry);
    try { localStorage.setItem(PREFIX + entry.id, JSON.stringify(entry)); } catch { /* see above */ }
  };
  const drop = (id) => {
    memory.delete(id);
    try { localStorage.removeItem(PREFIX + id); } catch { /* it was never there */ }
  };
  const readStored = () => {
    const found = new Map(memory);
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(PREFIX)) found.set(key.slice(PREFIX.length), JSON.parse(localStorage.getItem(key)));
      }
    } catch { /* storage forbidden: what is in memory is all there is */ }
    return [...found.values()].filter(Boolean).sort((a, b) => a.at - b.at);
  };

  const onItsWay = new Set(); // request ids that htmx is sending now
  const waiting = () => readStored().filter((entry) => !onItsWay.has(entry.id) && entry.reviewer === (cardNow()?.dataset.reviewer ?? ""));
  const isShown = (entry) => cardNow()?.dataset.image === entry.image;

  const entryOf = (form, fields) => {
    const card = cardNow();
    const verdict = fields.get("verdict");
    return {
      id: fields.get("request_id"),
      at: Date.now(),
      image: card.dataset.image,
      home: card.dataset.home,
      reviewer: card.dataset.reviewer ?? "",
      name: card.querySelector(".facts .path")?.textContent.trim() ?? `image ${card.dataset.image}`,
      word: form.querySelector(`[value="${CSS.escape(verdict)}"] .answer-word`)?.textContent.trim() ?? verdict,
      // The form as it stood: a blind card says of itself that it is one, and names no row of the image.
      action: form.getAttribute("action"),
      fields: [...fields.entries()],
    };
  };

  // -- what is shown -------------------------------------------------------------------------------------------------
  let nextAt = 0; // when it is tried again
  let trouble = "The server does not answer";
  let spoken = false;
  const show = () => {
    const entries = waiting();
    bar.hidden = !entries.length;
    const held = entries.some(isShown);
    document.querySelector("[data-verdict-form]")?.classList.toggle("is-waiting", held);
    for (const button of document.querySelectorAll("[data-verdict-form] .answer")) {
      if (held) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
    }
    if (!entries.length) {
      spoken = false;
      return;
    }
    const what = entries.length === 1 ? `“${entries[0].word}” for ${entries[0].name} is` : `${entries.length} verdicts are`;
    const left = Math.max(0, Math.ceil((nextAt - Date.now()) / 1000));
    bar.querySelector("[data-outbox-text]").textContent =
      `${trouble}. ${what} kept in this browser and will be saved by itself: ${left ? `next try in ${left} s` : "trying now"}.`;
    if (!spoken) say(`${trouble}. ${what} kept in this browser and will be saved as soon as it does.`);
    spoken = true;
  };
  setInterval(() => { if (!bar.hidden) show(); }, 1000);

  // -- sending again -------------------------------------------------------------------------------------------------
  let timer = 0;
  let delay = FIRST_S;
  let sending = false;
  const plan = (seconds) => {
    clearTimeout(timer);
    nextAt = Date.now() + seconds * 1000;
    timer = setTimeout(sendAll, seconds * 1000);
    show();
  };
  const retryLater = () => {
    plan(delay);
    delay = Math.min(delay * 2, MOST_S);
  };
  const mayComeLater = (status) => status >= 500 || [401, 408, 425, 429].includes(status);
  const troubleOf = (status) =>
    status === 401 ? "You are signed out: sign in again in another tab" : `The server has trouble (${status})`;

  async function sendAll() {
    if (sending) return;
    sending = true;
    clearTimeout(timer);
    try {
      for (const entry of waiting()) {
        if (!(await send(entry))) {
          retryLater();
          return;
        }
      }
      delay = FIRST_S;
      show();
    } finally {
      sending = false;
    }
  }

  const send = async (entry) => {
    let response;
    try {
      response = await fetch(entry.action, {
        method: "POST",
        headers: { Accept: "application/json" }, // an acknowledgement, and no page
        body: new URLSearchParams(entry.fields),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    } catch {
      trouble = "The server does not answer";
      return false;
    }
    const told = await response.json().catch(() => null); // null: whoever answered, it was no server of ours
    if (mayComeLater(response.status) || (response.ok && !told)) {
      trouble = troubleOf(response.ok ? 401 : response.status);
      return false;
    }
    drop(entry.id);
    if (response.ok) await settle(entry, told);
    else await refuse(entry, response.status, told);
    return true;
  };

  const load = (url) => htmx.ajax("GET", url, { target: "#card", swap: "outerHTML" });
  // After a blind no the boxes are shown that speak against it, and the question is asked once more.
  const settle = async (entry, told) => {
    tell("");
    if (isShown(entry)) await load(`${entry.home}&${told.ask_again ? "again" : "after"}=${entry.image}&said=later`);
    else say(`Saved after all: ${entry.word} for ${entry.name}`);
  };
  const refuse = async (entry, status, told) => {
    if (isShown(entry)) await load(`${entry.home}&image=${entry.image}`);
    tell(`“${entry.word}” for ${entry.name} was not saved: ${told?.detail ?? `the server refused it (${status})`}.`);
  };

  // -- a verdict by key or button ------------------------------------------------------------------------------------
  const isVerdict = (ctx) => Boolean(ctx?.sourceElement?.matches?.("[data-verdict-form]"));
  const idOf = (ctx) => ctx.request.body?.get?.("request_id");

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (!isVerdict(ctx)) return;
    onItsWay.add(idOf(ctx));
    keep(entryOf(ctx.sourceElement, ctx.request.body));
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (!isVerdict(ctx)) return;
    const { status, raw } = ctx.response;
    const elsewhere = raw.redirected && new URL(raw.url).pathname !== location.pathname; // to a page that asks for a password
    if (mayComeLater(status) || elsewhere) trouble = troubleOf(elsewhere ? 401 : status);
    else {
      drop(idOf(ctx));
      onItsWay.delete(idOf(ctx));
    }
  });
  // Nobody is told that nothing was saved: it is kept, and the bar says so.
  window.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!isVerdict(ctx) || ctx.response) return;
    event.stopPropagation();
    trouble = "The server does not answer";
  }, true);
  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    if (!isVerdict(ctx)) return;
    onItsWay.delete(idOf(ctx));
    if (!waiting().length) return;
    tell("");
    retryLater();
  });

  // While its verdict waits, a card takes no other one and no undo: which of them counted would be anybody's guess.
  window.addEventListener("submit", (event) => {
    if (!event.target.closest?.("#card") || !waiting().some(isShown)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    say("The verdict on this image is kept and waits to be saved.");
  }, true);

  // -- when to try -----------------------------------------------------------------------------------------------------
  const tryNow = () => {
    if (!waiting().length) return;
    delay = FIRST_S;
    nextAt = 0;
    show();
    sendAll();
  };
  bar.querySelector("[data-outbox-now]").addEventListener("click", tryNow);
  window.addEventListener("online", tryNow);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tryNow(); });
  window.addEventListener("storage", (event) => { if (event.key?.startsWith(PREFIX)) show(); });
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.id === "card") show(); });
  if (waiting().length) plan(GRACE_MS / 1000);
})();
