// Tables: a click on a heading sorts, a click on an hour shows it in the charts.

function drawTable(table) {
  const box = document.getElementById(`table-${table.key}`).querySelector(".scroll");
  const state = sorts.get(table.key) ?? { column: null, down: false }; // null: as they were made
  sorts.set(table.key, state);
  const timed = table.rows.some((row) => row.hour !== null);
  const value = (row, k) => {
    if (state.column === null) return k;
    return state.column < 0 ? row.hour ?? k : row.numbers[state.column];
  };
  const order = table.rows.map((row, k) => [value(row, k) ?? -Infinity, row]);
  order.sort(([a], [b]) => (state.down ? b - a : a - b));
  const head = document.createElement("tr");
  const heading = (text, column) => {
    const sorted = state.column === column;
    const sort = button(text, () => {
      Object.assign(state, { column, down: sorted ? !state.down : column >= 0 });
      drawTable(table);
    });
    sort.removeAttribute("aria-pressed");
    sort.textContent += sorted ? (state.down ? " ▼" : " ▲") : "";
    const cell = document.createElement("th");
    cell.className = column < 0 ? "" : "number";
    cell.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
    cell.append(sort);
    head.append(cell);
  };
  const [first, ...words] = timed ? ["@table.hour", ...table.words] : table.words;
  heading(first, -1);
  for (const text of words) {
    const cell = document.createElement("th");
    cell.textContent = say(text);
    head.append(cell);
  }
  table.columns.forEach((column, k) => heading(column.heading, k));
  const node = document.createElement("table");
  node.append(head, ...order.map(([, row]) => rowOf(row, table.columns)));
  box.replaceChildren(node);
}

function rowOf({ words, numbers, hour }, columns) {
  const row = document.createElement("tr");
  if (hour !== null) {
    const link = button(stamp(hour), () => visit(hour));
    link.removeAttribute("aria-pressed");
    link.title = say("@table.show");
    row.insertCell().append(link);
  }
  for (const texts of words) {
    row.insertCell().textContent = texts.map(say).join(page.languages[language] === "zh" ? "；" : "; ");
  }
  numbers.forEach((value, k) => {
    const cell = row.insertCell();
    const { places, signed } = columns[k];
    cell.className = "number";
    cell.textContent = value === null ? "–" : number(value, places < 0 ? decimals(value) : places, signed);
  });
  return row;
}

// Five digits or so, as `gridsim compare` prints them.
function decimals(value) {
  const size = Math.abs(value);
  return size >= 1e4 || Number.isInteger(value) ? 0 : size >= 1e3 ? 1 : size >= 10 ? 2 : 3;
}

// Show an hour in every chart that can.
function visit(hour) {
  for (const state of states.values()) {
    if (state.chart.kind === "map") change(state, { hour });
    else if (state.chart.options[0].hours) change(state, { view: "day", hour: dayOf(hour) });
  }
  document.getElementById("chart-dispatch").scrollIntoView();
}
