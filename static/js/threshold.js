// The threshold slider: flag counts, colours and the line follow at once, from the bins that stand in the page.
// The form posts when the hand rests; what the server answers is what counts.
(() => {
  "use strict";

  const REST_MS = 250;
  let timer = 0;

  const readBins = (chart) => chart.dataset.bins.split(";").map((pair) => pair.split(",").map(Number));

  const show = (chart, threshold) => {
    const cut = Math.round(threshold * 100); // bins are 0.01 wide: bin i holds scores from i/100
    let positive = 0;
    let negative = 0;
    readBins(chart).forEach(([up, down], index) => {
      if (index < cut) positive += up;
      else negative += down;
    });
    const write = (name, number) => { chart.querySelector(`[data-flags-${name}]`).textContent = number.toLocaleString("en"); };
    write("positive", positive);
    write("negative", negative);
    write("all", positive + negative);
    for (const bar of chart.querySelectorAll("[data-bin]")) {
      const below = Number(bar.dataset.bin) < cut;
      bar.classList.toggle("is-flagged", bar.classList.contains("bar-up") ? below : !below);
    }
    const line = chart.querySelector("[data-threshold-line]");
    line.setAttribute("x1", String(threshold * 1000));
    line.setAttribute("x2", String(threshold * 1000));
  };

  const post = (chart) => {
    clearTimeout(timer);
    timer = setTimeout(() => chart.querySelector("[data-threshold-form]")?.requestSubmit(), REST_MS);
  };

  document.addEventListener("input", (event) => {
    const chart = event.target.closest?.("[data-threshold]");
    if (!chart) return;
    const range = chart.querySelector("[data-threshold-range]");
    const number = chart.querySelector("[data-threshold-number]");
    if (event.target === range) {
      clearTimeout(timer);
      number.value = Number(range.value).toFixed(2);
    } else if (event.target === number && number.validity.valid) {
      range.value = number.value;
    } else return;
    show(chart, Number(range.value));
  });
  document.addEventListener("change", (event) => {
    const chart = event.target.closest?.("[data-threshold]");
    if (chart && event.target.matches("[data-threshold-range], [data-threshold-number]")) post(chart);
  });

  // An answer that comes while the hand is still on the slider must not pull the picture back.
  document.addEventListener("htmx:after:swap", () => {
    const range = document.querySelector("[data-threshold-range]");
    const number = document.querySelector("[data-threshold-number]");
    if (!range || document.activeElement !== range) return;
    if (range.value === Number(number.value).toFixed(2)) return;
    number.value = Number(range.value).toFixed(2);
    show(range.closest("[data-threshold]"), Number(range.value));
  });
})();
