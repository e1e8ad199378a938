// What every page shares: swaps that cannot go wrong silently, the one live region, focus, times, dialogs.
(() => {
  "use strict";

  const live = document.getElementById("live");
  const notice = document.getElementById("notice");
  const spoken = new Map(); // block id -> the message last seen there

  // Said to the eye when something failed; the next success takes it away.
  const tell = (text) => {
    notice.textContent = text;
    notice.hidden = !text;
  };
  document.addEventListener("touchline:tell", (event) => tell(event.detail));
  document.addEventListener("touchline:say", (event) => say(event.detail));

  const say = (text) => {
    if (!text) return;
    live.textContent = "";
    // A region that is emptied and filled in one task is not spoken again for the same words.
    setTimeout(() => { live.textContent = text; }, 30);
  };

  const blockOf = (ctx) => (ctx && ctx.target instanceof Element ? document.getElementById(ctx.target.id) : null);
  // After a swap htmx names the target as the source where the link that was clicked is gone: a click is no poll.
  const isPoll = (ctx) => ctx.request.method === "GET" && ctx.sourceEvent?.type !== "click" && Boolean(ctx.target?.id) && ctx.sourceElement?.id === ctx.target.id;

  // -- times in the reader's own zone ------------------------------------------------------------------------
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const showTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.textContent.trim(); // as the server wrote it, in UTC
      time.textContent = clock.format(at);
      time.dataset.local = "";
    }
  };

  // -- swaps -----------------------------------------------------------------------------------------------
  // A poll must not take the field from under a hand, and need not run where nobody looks.
  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceEvent?.type !== "every") return;
    const held = document.activeElement?.matches("input, select, textarea") && ctx.target.contains(document.activeElement);
    if (document.hidden || held) event.preventDefault();
  });

  // What an answer says that is no block: its text, or the heading and first words of an error page.
  const reasonOf = (ctx, fragment) => {
    if (ctx.response.headers.get("content-type")?.startsWith("text/plain")) return ctx.text.trim();
    const words = ["h1", "h1 + p"].map((selector) => fragment.querySelector(selector)?.textContent.trim());
    return words.filter(Boolean).join(". ");
  };

  // htmx swaps whatever comes back. Only the block that was asked for may take the block's place: it is cut out
  // of a whole page, and an answer without it (an error page, a proxy's words) is told and changes nothing.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    const main = tasks.find((task) => task.type === "main");
    if (!main || !main.target?.id) return;
    const block = main.fragment.querySelector(`#${CSS.escape(main.target.id)}`);
    if (block) {
      // What a person opened stays open: the server does not know of it.
      for (const opened of main.target.querySelectorAll("details[open][id]")) {
        block.querySelector(`#${CSS.escape(opened.id)}`)?.setAttribute("open", "");
      }
      main.fragment.replaceChildren(block);
      return;
    }
    event.preventDefault();
    tell(`Not done (${ctx.response.status}): ${reasonOf(ctx, main.fragment) || "the server gave no page that fits here"}`);
  });

  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && isPoll(event.detail.ctx)) {
      tell("Touchline does not answer. This page goes on by itself when it is back.");
    } else {
      // It may have been saved and only the answer lost.
      tell("Touchline did not answer, so it is not known whether this was saved. Try again in a moment.");
    }
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = event.detail;
    const block = blockOf(ctx);
    if (!block) return;
    tell("");
    showTimes(block);
    const poll = isPoll(ctx);
    // A link that was followed is a step that Back takes back; what follows from a verdict is none.
    if (block.dataset.url && !poll) {
      const followed = ctx.request.method === "GET" && ctx.sourceEvent?.type === "click" && block.dataset.url !== location.pathname + location.search;
      history[followed ? "pushState" : "replaceState"](history.state, "", block.dataset.url);
    }
    const message = block.dataset.message || "";
    if (!poll || message !== spoken.get(block.id)) say(message);
    spoken.set(block.id, message);
    if (!poll) {
      const goal = block.querySelector("[aria-invalid]") ?? block.querySelector("[data-focus]");
      if (goal) {
        goal.focus({ preventScroll: block.id === "card" });
      } else if (document.activeElement === document.body) {
        block.tabIndex = -1;
        block.focus({ preventScroll: true });
      }
    }
    followScan(block);
  });

  // -- the scan's state decides what else is out of date -------------------------------------------------------
  let scanState = document.querySelector("[data-scan-state]")?.dataset.scanState;
  const followScan = (block) => {
    const state = block.dataset.scanState;
    if (!state || state === scanState) return;
    const wasPreparing = scanState === "preparing";
    scanState = state;
    if (wasPreparing) location.reload();
    else document.dispatchEvent(new CustomEvent("touchline:scan"));
  };

  // -- dialogs ---------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
  });

  showTimes(document);
  for (const block of document.querySelectorAll("[data-message]")) spoken.set(block.id, block.dataset.message);
})();
