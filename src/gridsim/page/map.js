// The map: loading of lines and balance of cities in one hour. Its option holds what gridsim/page/network.py says.

const CLASSES = [[0, "#b9c7d6"], [40, "#5fa8d3"], [70, "#f2a541"], [90, "#d1495b"], [100, "#4a0410"]]; // from %, colour
const WIDTHS = [1.6, 3, 5];
const SIGNS = [[1, "@map.export", "#d55e00", "#7a2e00"], [-1, "@map.import", "#0072b2", "#00335c"]];

// 100 % is full, not beyond it.
function classOf(percent) {
  return CLASSES.findLastIndex(([from]) => percent >= from && (from < 100 || percent > from));
}

// Lines are gathered by class of loading and by width: a few traces, however large the network is.
function lineTraces(map, loading) {
  const ratings = map.lines.map((line) => line.rating).sort((a, b) => a - b);
  const limits = [ratings[Math.floor(ratings.length / 3)], ratings[Math.floor((2 * ratings.length) / 3)]];
  const traces = CLASSES.flatMap(([from, color], k) => WIDTHS.map((width, w) => ({
    type: "scatter", mode: "lines", x: [null], y: [null], hoverinfo: "skip", line: { width, color },
    name: k + 1 < CLASSES.length ? `${from}–${CLASSES[k + 1][0]} %` : withValues("@map.over", { percent: from }),
    legendgroup: String(k), showlegend: w === 1,
  })));
  map.lines.forEach((line, k) => {
    const w = limits.filter((limit) => line.rating > limit).length;
    const trace = traces[classOf(Math.abs(loading[k])) * WIDTHS.length + w];
    trace.x.push(...line.x, null);
    trace.y.push(...line.y, null);
  });
  return traces;
}

// Unseen points in the middle of lines, to be pointed at.
function middles(map, loading) {
  const text = map.lines.map((line, k) => {
    const percent = Math.abs(loading[k]);
    const [a, b] = loading[k] < 0 ? [line.to, line.from] : [line.from, line.to];
    const flow = { flow: number((percent * line.rating) / 100, 0), rating: number(line.rating, 0) };
    return `<b>${escaped(line.name)}</b><br>${percent} %: ${withValues("@map.flow", flow)}<br>${escaped(a)} → ${escaped(b)}`;
  });
  return {
    type: "scatter", mode: "markers", text, hovertemplate: "%{text}<extra></extra>", showlegend: false,
    x: map.lines.map((line) => (line.x[0] + line.x[1]) / 2), y: map.lines.map((line) => (line.y[0] + line.y[1]) / 2),
    marker: { size: 10, opacity: 0, color: map.lines.map((_, k) => CLASSES[classOf(Math.abs(loading[k]))][1]) },
  };
}

function busTrace({ x, y, name, kv }) {
  return {
    type: "scatter", mode: "markers", x, y, text: name.map((n, k) => `${escaped(n)}, ${kv[k]} kV`), name: say("@map.bus"),
    hovertemplate: "%{text}<extra></extra>",
    marker: {
      size: kv.map((v) => (v >= 800 ? 9 : 5)), symbol: kv.map((v) => (v >= 800 ? "square" : "circle")), color: "#ffffff",
      line: { color: "#1a1a1a", width: 1 },
    },
  };
}

function cityTraces(map, balance, most) {
  return SIGNS.map(([sign, key, color, ink]) => {
    const shown = map.cities.map((city, k) => [city, balance[k]]).filter(([, mw]) => (mw < 0 ? -1 : 1) === sign);
    return {
      type: "scatter", mode: "markers+text", x: shown.map(([city]) => city.x), y: shown.map(([city]) => city.y),
      text: shown.map(([city, mw]) => `<b>${escaped(say(city.name))}</b> ${number(mw / 1000, 1, true)}`),
      textfont: { size: 13, color: ink }, textposition: shown.map(([city]) => city.at), name: say(key),
      hovertemplate: "%{text} GW<extra></extra>",
      marker: { size: shown.map(([, mw]) => 6 + 50 * Math.sqrt(Math.abs(mw) / most)), color, opacity: 0.35, sizemode: "diameter" },
    };
  });
}

function drawMap(state) {
  const map = state.chart.options[0].whole;
  const row = Math.floor(state.hour / map.every);
  const of = (name, width) => array(name).subarray(row * width, (row + 1) * width);
  const loading = of("map.loading", map.lines.length);
  const data = [...lineTraces(map, loading), busTrace(map.buses), middles(map, loading)];
  if (map.cities.length) {
    state.most ??= array("map.balance").reduce((most, mw) => Math.max(most, Math.abs(mw)), 1);
    data.push(...cityTraces(map, of("map.balance", map.cities.length), state.most));
  }
  const [west, east, south, north] = map.box;
  const layout = layoutOf({
    xaxis: { range: [west, east], ticksuffix: "° E", zeroline: false, constrain: "domain" },
    yaxis: { range: [south, north], ticksuffix: "° N", zeroline: false, constrain: "domain", scaleanchor: "x",
      scaleratio: 1 / Math.cos((((south + north) / 2) * Math.PI) / 180) },
    hovermode: "closest", dragmode: "pan", uirevision: "map", legend: { itemsizing: "constant" },
  }, true);
  Plotly.react(state.plot, data, layout, { ...CONFIG, locale: page.languages[language] });
}

function mapControls(state, box) {
  const map = state.chart.options[0].whole;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: hours - 1, step: map.every, value: state.hour });
  slider.setAttribute("aria-label", say("@map.hour"));
  const label = document.createElement("output");
  const show = (hour) => {
    state.hour = hour;
    slider.value = hour;
    label.textContent = stamp(hour);
    draw(state);
  };
  const step = (by) => show((state.hour + by * map.every + hours) % hours);
  const run = (on) => {
    clearInterval(state.timer);
    state.timer = on ? setInterval(() => step(1), 250) : undefined;
    play.textContent = say(on ? "@map.stop" : "@map.play");
  };
  const play = button("@map.play", () => run(!state.timer));
  run(Boolean(state.timer)); // the controls may be made anew while it plays
  label.textContent = stamp(state.hour);
  slider.addEventListener("input", () => show(Number(slider.value)));
  const [before, after] = [button("◀", () => step(-1)), button("▶", () => step(1))];
  before.setAttribute("aria-label", say("@view.before"));
  after.setAttribute("aria-label", say("@view.after"));
  const presets = state.chart.presets.map(([text, hour]) => button(text, () => show(hour)));
  box.append(play, group(before, after), slider, label, group(...presets));
}
