// Learning curves of the chosen rows.

const COLOURS = 6;
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const CHOSEN_AT_FIRST = 4;

function strokeOf(index) {
  const dash = DASHES[Math.floor(index / COLOURS) % DASHES.length];
  return { stroke: `var(--c${index % COLOURS})`, "stroke-dasharray": dash || null };
}

// The first rows and the baseline.
function firstChosen(rows, count) {
  const others = rows.filter((row) => row !== DATA.baseline).slice(0, count - 1);
  return new Set([...others, DATA.baseline]);
}

// Check boxes for rows; `changed` is called with the chosen ones.
function chooser(name, rows, chosen, sample, changed) {
  const group = document.querySelector(`.chooser[data-for="${name}"]`);
  const boxes = rows.map((row, index) => {
    const box = el("input", { type: "checkbox", value: row });
    box.checked = chosen.has(row);
    group.append(el("label", {}, box, ...sample(index), label(row)));
    return box;
  });
  const tell = () => changed(boxes.filter((box) => box.checked).map((box) => box.value));
  group.addEventListener("change", tell);
  tell();
}

// Line segments between the values that there are.
function pathOf(points) {
  let pen = "M";
  return points.map(([x, y]) => {
    const piece = y === null ? "" : `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = y === null ? "M" : "L";
    return piece;
  }).join("");
}

function bandOf(x, y, curve, name) {
  const known = curve.epochs.map((epoch, index) => [epoch, index])
    .filter(([, index]) => curve[name].mean[index] !== null);
  if (curve.n < 2 || known.length < 2) return "";
  const edge = (end) => known.map(([epoch, index]) => `${x(epoch).toFixed(1)} ${y(curve[name][end][index]).toFixed(1)}`);
  return `M${edge("high").join("L")}L${edge("low").reverse().join("L")}Z`;
}

function curvesDrawer(name, state) {
  return (width, [xTitle, yTitle], plot) => {
    const curves = state.chosen.filter(([curve]) => curve[name].mean.some((value) => value !== null));
    const values = curves.flatMap(([curve]) => [...curve[name].low, ...curve[name].high])
      .filter((value) => value !== null);
    if (!values.length) return el("p", { class: "caption" }, `${yTitle}: —`);
    const height = 300;
    const [left, right, top, bottom] = [48, width - 8, 24, height - 44];
    const epochs = curves.flatMap(([curve]) => [curve.epochs[0], curve.epochs.at(-1)]);
    const x = linear(epochs, left, right, Math.min((right - left) / 60, Math.max(...epochs)));
    x.ticks = x.ticks.filter(([tick]) => Number.isInteger(tick) && tick > 0);
    const y = linear(values, bottom, top, (bottom - top) / 50);
    const cursor = svg("line", { class: "cursor", y1: top, y2: bottom, visibility: "hidden" });
    const chart = svg("svg", {
      height, tabindex: "0", role: "img", "aria-label": `${yTitle}, ${xTitle}; arrow keys read it`,
    },
      ...xAxis(x, top, bottom, xTitle, (left + right) / 2),
      ...yAxis(y, left, right, yTitle),
      ...curves.map(([curve, index]) =>
        svg("path", { class: "band", d: bandOf(x, y, curve, name), fill: `var(--c${index % COLOURS})` })),
      ...curves.map(([curve, index]) => svg("path", {
        class: "curve", ...strokeOf(index),
        d: pathOf(curve.epochs.map((epoch, at) => {
          const value = curve[name].mean[at];
          return [x(epoch), value === null ? null : y(value)];
        })),
      })), cursor);
    const known = [...new Set(curves.flatMap(([curve]) => curve.epochs))].sort((a, b) => a - b);
    readByEpoch(chart, known, (epoch) => {
      cursor.setAttribute("x1", x(epoch));
      cursor.setAttribute("x2", x(epoch));
      cursor.setAttribute("visibility", "visible");
      const texts = curves.map(([curve]) => {
        const value = curve[name].mean[curve.epochs.indexOf(epoch)] ?? null;
        return value === null ? null : `${label(curve.row)} ${value.toFixed(name === "miou" ? 2 : 4)}`;
      });
      plot.closest("section").querySelector(".readout").textContent =
        `${xTitle} ${epoch}, ${yTitle}: ${texts.filter(Boolean).join("; ")}`;
    }, x);
    return chart;
  };
}

function readByEpoch(chart, epochs, show, x) {
  let at = -1;
  chart.addEventListener("pointermove", (event) => {
    const position = event.clientX - chart.getBoundingClientRect().left;
    const distance = (epoch) => Math.abs(x(epoch) - position);
    show(epochs.reduce((best, each) => (distance(each) < distance(best) ? each : best)));
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = Math.max(0, Math.min(epochs.length - 1, at < 0 ? 0 : at + step));
    show(epochs[at]);
  });
}

function startCurves() {
  if (!DATA.curves.length) return;
  const state = { chosen: [] };
  const redraws = ["val_loss", "miou"].map((name) => drawn(name, curvesDrawer(name, state)));
  const rows = DATA.curves.map((curve) => curve.row);
  const first = firstChosen(rows, CHOSEN_AT_FIRST);
  const sample = (index) => [svg("svg", { "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 2.5, ...strokeOf(index) }))];
  chooser("curves", rows, first, sample, (chosen) => {
    state.chosen = DATA.curves.map((curve, index) => [curve, index])
      .filter(([curve]) => chosen.includes(curve.row));
    for (const redraw of redraws) redraw();
  });
}
