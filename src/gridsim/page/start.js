// Languages, and the start: runs last.

function languages() {
  const names = { en: "English", zh: "中文" };
  document.getElementById("languages").replaceChildren(
    group(...page.languages.map((code, k) => button(names[code], () => speak(k), k === language))));
}

function speak(k) {
  language = k;
  document.documentElement.lang = page.languages[k];
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = page.words[node.dataset.word][k];
  languages();
  for (const state of states.values()) {
    controls(state);
    draw(state);
  }
  page.tables.forEach(drawTable);
}

// A chart is drawn when it comes near the window: a page of many charts opens as fast as one of few.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((e) => e.isIntersecting)) {
    const state = states.get(entry.target.id.slice("chart-".length));
    watcher.unobserve(entry.target);
    state.seen = true;
    draw(state);
  }
}, { rootMargin: "600px" });

const SHORT_H = 336;
languages();
for (const chart of page.charts) {
  const figure = document.getElementById(`chart-${chart.key}`);
  const [first, hour] = chart.start;
  const view = first === "year" && hours > 24 && hours <= SHORT_H ? "week" : first; // days say little of a short run
  const state = { chart, figure, plot: figure.querySelector(".plot"), option: 0, view, hour, seen: false };
  states.set(chart.key, state);
  controls(state);
  watcher.observe(figure);
}
page.tables.forEach(drawTable);
