// Draws the charts of the page from its payload: see gridsim/page/parts.py for what a specification is.
"use strict";

const page = JSON.parse(document.getElementById("payload").textContent);
const HOUR_MS = 3600e3, DAY_MS = 24 * HOUR_MS;
const begin = Date.parse(page.time.start); // local time, kept as if it were UTC: plotly shows it unchanged
const hours = page.time.hours;
const firstHour = new Date(begin).getUTCHours();
const days = Math.ceil((firstHour + hours) / 24);
const decoded = new Map();
const states = new Map(); // of every chart, by key
const sorts = new Map(); // of every table
let language = page.languages.indexOf(page.language);

Plotly.register({
  moduleType: "locale", name: "zh", dictionary: {},
  format: {
    days: ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"],
    shortDays: ["周日", "周一", "周二", "周三", "周四", "周五", "周六"],
    months: [...Array(12).keys()].map((k) => `${k + 1}月`), shortMonths: [...Array(12).keys()].map((k) => `${k + 1}月`),
    date: "%Y-%m-%d", year: "%Y年", month: "%Y年%b", dayMonth: "%b%-d日", dayMonthYear: "%Y年%b%-d日",
  },
});

// --- texts and arrays

function say(text) {
  return text.startsWith("@") ? page.words[text.slice(1)][language] : text;
}

// A text of the table with values put into it.
function withValues(text, values) {
  return say(text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function number(value, places, sign = false) {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: places, maximumFractionDigits: places, signDisplay: sign ? "exceptZero" : "auto",
  });
}

// plotly reads tags in its texts.
function escaped(text) {
  return text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
}

function stamp(hour) {
  return new Date(begin + hour * HOUR_MS).toISOString().slice(0, 16).replace("T", " ");
}

function array(name) {
  if (!decoded.has(name)) {
    if (name === "hour") decoded.set(name, Float64Array.from({ length: hours }, (_, k) => begin + k * HOUR_MS));
    else if (name === "day") decoded.set(name, Float64Array.from({ length: days }, (_, k) => dayStart(k)));
    else if (name === "noon") decoded.set(name, array("day").map((midnight) => midnight + DAY_MS / 2));
    else {
      const { type, data } = page.arrays[name];
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      decoded.set(name, new { f4: Float32Array, f8: Float64Array, i1: Int8Array, u1: Uint8Array }[type](bytes.buffer));
    }
  }
  return decoded.get(name);
}

function dayStart(day) {
  return begin - firstHour * HOUR_MS + day * DAY_MS;
}

// Hours of the run as 24 rows of days; null where the run has no hour.
function grid(values) {
  return Array.from({ length: 24 }, (_, h) =>
    Array.from({ length: days }, (_, d) => values[24 * d + h - firstHour] ?? null));
}

// An array, cut to [from, to) if given. Its last value is repeated, so that the last step is as wide as the others.
function cut(name, window) {
  const values = array(name);
  if (!window) return values;
  const part = Array.from(values.subarray(...window));
  part.push(name === "hour" ? part.at(-1) + HOUR_MS : part.at(-1));
  return part;
}

// A specification with its texts and arrays filled in.
function filled(spec, window) {
  if (typeof spec === "string") return say(spec);
  if (Array.isArray(spec)) return spec.map((item) => filled(item, window));
  if (spec === null || typeof spec !== "object") return spec;
  if ("$" in spec) return spec.grid ? grid(array(spec.$)) : cut(spec.$, window);
  return Object.fromEntries(Object.entries(spec).map(([key, value]) => [key, filled(value, window)]));
}

// --- drawing

const FONT = getComputedStyle(document.body).fontFamily;
const AXIS = { gridcolor: "#e3e6ea", zerolinecolor: "#1a1a1a", linecolor: "#8a8f96", ticks: "outside", automargin: true };

function layoutOf(layout, wide) {
  const base = {
    font: { family: FONT, size: 13, color: "#1a1a1a" }, margin: { l: 60, r: 12, t: 14, b: 36 }, autosize: true,
    paper_bgcolor: "#ffffff", plot_bgcolor: "#ffffff", bargap: 0.2, hoverlabel: { font: { size: 12 } },
    legend: { tracegroupgap: 0, font: { size: 12 } }, separators: ".,",
  };
  if (!wide) { // a legend beside it would take a third of the width
    base.legend = { ...base.legend, orientation: "h", x: 0, y: 1.02, yanchor: "bottom", traceorder: "normal" };
  }
  const axes = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^[xy]axis/.test(key))]);
  const merged = { ...base, ...layout, legend: { ...base.legend, ...layout.legend } };
  for (const name of axes) merged[name] = { ...AXIS, ...layout[name] };
  return merged;
}

// Steps of days: the last is as wide as the others.
function holdLastDay(raw, trace) {
  if (raw.type !== "scatter" || raw.x.$ !== "day") return;
  trace.x = [...trace.x, dayStart(days)];
  trace.y = [...trace.y, trace.y.at(-1)];
}

// Marks stand for an hour, and have no last step to hold.
function dropLastMark(trace) {
  if (trace.mode !== "markers") return;
  for (const key of ["x", "y", "customdata"]) if (trace[key]) trace[key] = trace[key].slice(0, -1);
}

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

function windowOf(state) {
  if (state.view === "year") return null;
  const length = state.view === "week" ? 168 : 24;
  const from = Math.max(Math.min(state.hour, hours - length), 0);
  return [from, Math.min(from + length, hours)];
}

function draw(state) {
  if (!state.seen) return;
  if (state.chart.kind === "map") {
    drawMap(state);
    return;
  }
  const option = state.chart.options[state.option];
  const window = option.hours ? windowOf(state) : null;
  const raw = window ? option.hours : option.whole;
  const spec = filled(raw, window);
  if (window) spec.data.forEach(dropLastMark);
  else raw.data.forEach((trace, k) => holdLastDay(trace, spec.data[k]));
  Plotly.newPlot(state.plot, spec.data, layoutOf(spec.layout, state.chart.wide), { ...CONFIG, locale: page.languages[language] });
}

// --- controls

function button(text, action, pressed) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = say(text);
  node.setAttribute("aria-pressed", String(Boolean(pressed)));
  node.addEventListener("click", action);
  return node;
}

function group(...nodes) {
  const node = document.createElement("span");
  node.className = "group";
  node.append(...nodes);
  return node;
}

function change(state, news) {
  Object.assign(state, news);
  controls(state);
  draw(state);
}

// The hour at which the calendar day of `hour` begins, within the run.
function dayOf(hour) {
  return Math.max(Math.floor((hour + firstHour) / 24) * 24 - firstHour, 0);
}

function controls(state) {
  const box = state.figure.querySelector(".controls");
  box.replaceChildren();
  if (state.chart.kind === "map") {
    mapControls(state, box);
    return;
  }
  const { options, presets } = state.chart;
  if (options.length > 1) {
    const select = document.createElement("select");
    select.setAttribute("aria-label", say("@view.show"));
    options.forEach((option, k) => select.add(new Option(say(option.label), k, false, k === state.option)));
    select.addEventListener("change", () => change(state, { option: Number(select.value) }));
    box.append(select);
  }
  if (!options[state.option].hours) return;
  const views = ["year", "week", "day"].filter((view) => view !== "week" || hours > 24);
  box.append(group(...views.map((view) =>
    button(`@view.${view}`, () => change(state, { view, hour: dayOf(state.hour) }), view === state.view))));
  const length = state.view === "day" ? 24 : 168;
  const move = (by) => change(state, { hour: Math.max(Math.min(state.hour + by, hours - length), 0) });
  if (state.view !== "year") {
    const date = document.createElement("input");
    date.type = "date";
    const iso = (hour) => new Date(begin + hour * HOUR_MS).toISOString().slice(0, 10);
    [date.value, date.min, date.max] = [iso(windowOf(state)[0]), iso(0), iso(hours - 1)];
    date.addEventListener("change", () => {
      const hour = (Date.parse(date.value) - begin) / HOUR_MS;
      if (Number.isFinite(hour)) change(state, { hour: Math.max(hour, 0) });
    });
    const [before, after] = [button("◀", () => move(-length)), button("▶", () => move(length))];
    before.setAttribute("aria-label", say("@view.before"));
    after.setAttribute("aria-label", say("@view.after"));
    box.append(group(before, after), date);
  }
  if (presets.length) {
    box.append(group(...presets.map(([text, hour]) => button(text, () => change(state, { view: "day", hour: dayOf(hour) })))));
  }
}

