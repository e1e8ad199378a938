// The next images: fetched and decoded before they are asked for, and painted before the server has answered.
(() => {
  "use strict";

  const ahead = new Map(); // url -> {image, ready}; kept, so that the decoded picture stays at hand
  let loading = 0;
  let loadMs = 60; // how long an image takes lately
  let cardMs = 1500; // how long a person looks at a card lately
  let shownAt = performance.now();

  const stageImage = () => document.querySelector("#card [data-stage-image]");
  const wanted = () => {
    const urls = (document.getElementById("card")?.dataset.prefetch ?? "").split(" ").filter(Boolean);
    return navigator.connection?.saveData ? urls.slice(0, 1) : urls;
  };
  // Where an image takes longer than a look at one, several at a time would only keep the nearest waiting.
  const lanes = () => (loadMs > cardMs ? 1 : 3);
  const blend = (old, now) => old * 0.7 + now * 0.3;

  const fetchNext = () => {
    for (const url of wanted()) {
      if (loading >= lanes()) return;
      if (!ahead.has(url)) fetchOne(url);
    }
  };
  const fetchOne = (url) => {
    const entry = { image: new Image(), ready: false };
    const begun = performance.now();
    ahead.set(url, entry);
    loading += 1;
    entry.image.src = url;
    entry.image.decode()
      .then(() => {
        entry.ready = true;
        loadMs = blend(loadMs, performance.now() - begun);
      })
      .catch(() => ahead.delete(url)) // dropped, or broken: the card itself says when its image is missing
      .finally(() => {
        loading -= 1;
        if (entry.ready) fetchNext();
      });
  };
  const forget = () => {
    const keep = [...wanted(), stageImage()?.getAttribute("src")];
    for (const [url, entry] of ahead) {
      if (keep.includes(url)) continue;
      if (!entry.ready) entry.image.src = "";
      ahead.delete(url);
    }
  };

  // -- painted at once ------------------------------------------------------------------------------------------
  // The image that the server is about to show is known and decoded: it stands on the stage while the answer is on
  // its way. No key counts until the card is there (hotkeys.js), so nothing is answered that was not asked.
  let borrowed = null; // {stage, image, src}
  document.addEventListener("htmx:before:request", (event) => {
    if (!event.detail.ctx.sourceElement?.matches?.("[data-verdict-form]")) return;
    const [url] = wanted();
    const image = stageImage();
    if (!image || !ahead.get(url)?.ready) return;
    const stage = image.closest("[data-stage]");
    borrowed = { stage, image, src: image.getAttribute("src") };
    stage.classList.add("is-coming");
    image.src = url;
  });
  document.addEventListener("htmx:finally:request", () => {
    if (!borrowed) return;
    if (borrowed.image.isConnected) borrowed.image.src = borrowed.src; // the card stayed: so does its image
    borrowed.stage.classList.remove("is-coming");
    borrowed = null;
  });

  // -- each card -------------------------------------------------------------------------------------------------
  const start = () => {
    const now = performance.now();
    cardMs = blend(cardMs, Math.min(now - shownAt, 10_000));
    shownAt = now;
    forget();
    // First paint what was asked for, then fetch what comes next.
    requestAnimationFrame(() => setTimeout(fetchNext));
  };
  document.addEventListener("htmx:after:swap", (event) => { if (event.target.id === "card") start(); });
  start();
})();
