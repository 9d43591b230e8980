// Where a number comes from: its runs.

// The metric that a column of some table shows, where it is not one by itself.
const METRIC_OF = { difference: "miou", interval: "miou", selected: "miou" };

function listed(pairs) {
  return el("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== undefined)
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function plainTable(columns, lines) {
  return el("div", { class: "frame", tabindex: "0", role: "region", "aria-label": "runs" },
    el("table", {},
      el("thead", {}, el("tr", {}, ...columns.map((each) => el("th", { scope: "col" }, el("span", {}, each))))),
      ...lines.map((line) => el("tbody", {}, el("tr", {}, ...line.map((each) => el("td", {}, each)))))));
}

function showProvenance(row, key) {
  const values = DATA.rows[row];
  const metric = METRIC_OF[key] ?? key;
  const score = values.scores[metric];
  const body = document.getElementById("provenance-body");
  const difference = DATA.forest.find((each) => each.row === row);
  document.getElementById("provenance-title").textContent =
    score ? `${values.label}: ${score.heading}` : values.label;
  const place = DATA.runColumns.indexOf("key");
  const inserted = (cells, value) => [...cells.slice(0, place), value, ...cells.slice(place)];
  const columns = score ? inserted(DATA.runColumns, "value") : DATA.runColumns;
  const lines = values.runs.map((cells) =>
    score ? inserted(cells, String(score.values[cells[place]] ?? "")) : cells);
  body.replaceChildren(
    listed([
      ...(score ? [["reproduced", score.text], ["published", score.printed]] : []),
      ...(metric === "miou" && difference ? [
        ["difference to the baseline", difference.text.difference],
        ["95 % interval", difference.text.interval],
        ["published difference", difference.text.published],
      ] : []),
      ...values.missing.map(([repeat, state, cause]) => [repeat, cause ? `${state}: ${cause}` : state]),
    ]),
    ...(lines.length ? [el("h3", {}, lines.length === 1 ? "Run" : "Runs"), plainTable(columns, lines)] : []));
  document.getElementById("provenance").showModal();
}

function startProvenance() {
  const dialog = document.getElementById("provenance");
  // A click beside the box closes it as well.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
