// Tables: a click on a heading sorts, a click on an hour shows it in the charts.

function drawTable(table) {
  const box = document.getElementById(`table-${table.key}`).querySelector(".scroll");
  const state = sorts.get(table.key) ?? { column: -1, down: false };
  sorts.set(table.key, state);
  const value = (row) => (state.column < 0 ? row[0] : row[2][state.column]) ?? -Infinity;
  const rows = [...table.rows].sort((a, b) => (state.down ? -1 : 1) * (value(a) - value(b)));
  const head = document.createElement("tr");
  const heading = (text, column) => {
    const cell = document.createElement("th");
    const sorted = state.column === column;
    const sort = button(text, () => {
      Object.assign(state, { column, down: sorted ? !state.down : column >= 0 });
      drawTable(table);
    });
    sort.removeAttribute("aria-pressed");
    sort.textContent += sorted ? (state.down ? " ▼" : " ▲") : "";
    cell.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
    cell.append(sort);
    head.append(cell);
  };
  heading("@table.hour", -1);
  head.insertCell().outerHTML = `<th>${escaped(say("@table.what"))}</th>`;
  table.columns.forEach((column, k) => heading(`@column.${column.key}`, k));
  const node = document.createElement("table");
  node.append(head, ...rows.map((row) => rowOf(row, table.columns)));
  box.replaceChildren(node);
}

function rowOf([hour, words, numbers], columns) {
  const row = document.createElement("tr");
  const link = button(stamp(hour), () => visit(hour));
  link.removeAttribute("aria-pressed");
  link.title = say("@table.show");
  row.insertCell().append(link);
  row.insertCell().textContent = words.map(say).join(page.languages[language] === "zh" ? "；" : "; ");
  numbers.forEach((n, k) => {
    const cell = row.insertCell();
    cell.className = "number";
    cell.textContent = n === null ? "–" : number(n, columns[k].places);
  });
  return row;
}

// Show an hour in every chart that can.
function visit(hour) {
  for (const state of states.values()) {
    if (state.chart.kind === "map") change(state, { hour });
    else if (state.chart.options[0].hours) change(state, { view: "day", hour: dayOf(hour) });
  }
  document.getElementById("chart-dispatch").scrollIntoView();
}
