// Where a number comes from: its seeds and their runs.

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
  const bySeed = new Map((score?.seeds ?? []).map(([seed, value]) => [String(seed), value]));
  const [seed, ...others] = DATA.runColumns;
  const columns = score ? [seed, "value", ...others] : DATA.runColumns;
  const only = bySeed.size === 1 ? [...bySeed.values()][0] : "";
  const lines = values.runs.map((cells) =>
    score ? [cells[0], String(bySeed.get(cells[0]) ?? only), ...cells.slice(1)] : cells);
  body.replaceChildren(
    listed([
      ...(score ? [["reproduced", score.text], ["published", score.printed]] : []),
      ...(metric === "miou" && difference ? [
        ["difference to the baseline", difference.text.difference],
        ["95 % interval", difference.text.interval],
        ["published difference", difference.text.published],
      ] : []),
      ...values.missing.map(([seed, state, cause]) => [`seed ${seed}`, cause ? `${state}: ${cause}` : state]),
    ]),
    ...(lines.length ? [el("h3", {}, lines.length === 1 ? "Run" : "Runs"), plainTable(columns, lines)] : []));
  document.getElementById("provenance").showModal();
}

function startProvenance() {
  const dialog = document.getElementById("provenance");
  // A click beside the box closes it as well.
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
