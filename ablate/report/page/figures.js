// The forest plot of differences, and trained parameters against MIoU.

const NARROW = 560;
const LETTER = 6.8;

// The text, or as much of it as fits into a width.
function fitted(text, width) {
  const letters = Math.max(4, Math.floor(width / LETTER));
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

// A mark that says what it stands for when it is pointed at or focused, and opens its provenance.
function mark(plot, words, row, metric, ...children) {
  const group = svg("g", { role: "button", "aria-label": words }, ...children);
  const readout = plot.parentElement.querySelector(".readout");
  for (const event of ["pointerenter", "focus"]) {
    group.addEventListener(event, () => { readout.textContent = words; });
  }
  group.addEventListener("click", () => showProvenance(row, metric));
  return group;
}

// What stands at the end of a line.
function valueOf({ low, text }) {
  return low === null ? text.difference : `${text.difference} [${text.interval}]`;
}

function drawForest(width, [title], plot) {
  const items = DATA.forest;
  const narrow = width < NARROW;
  const [lineHeight, top] = narrow ? [58, 6] : [28, 6];
  const longest = Math.max(...items.map((item) => label(item.row).length));
  const left = narrow ? 8 : Math.min(260, 16 + LETTER * longest);
  const right = narrow ? width - 8 : width - 24 - LETTER * Math.max(...items.map((item) => valueOf(item).length));
  const bottom = top + lineHeight * items.length;
  const values = items.flatMap((item) => [item.mean, item.low, item.high, item.published, 0])
    .filter((value) => value !== null);
  const x = linear(values, left, right, (right - left) / 80);
  const lines = items.map((item, index) => {
    const start = top + index * lineHeight;
    const y = narrow ? start + 45 : start + lineHeight / 2;
    const { difference, interval, published, n } = item.text;
    const known = item.mean !== null;
    const words = `${label(item.row)}: ${difference}${item.low === null ? "" : `, interval ${interval}`}`
      + (published === undefined ? "" : `; published ${published}`) + `; n = ${n}`;
    const value = valueOf(item);
    const room = narrow ? width - 12 : left - 12;
    return mark(plot, words, item.row, "difference",
      svg("rect", { class: "hit", x: 0, y: start + 1, width, height: lineHeight - 2, rx: 4 }),
      svg("text", { x: 6, y: narrow ? start + 16 : y + 4 }, fitted(label(item.row), room)),
      svg("text", {
        class: "soft", x: narrow ? 6 : width - 6, y: narrow ? start + 32 : y + 4,
        "text-anchor": narrow ? "start" : "end",
      }, value),
      ...(item.low === null ? [] : [
        svg("line", {
          class: "whisker", "stroke-dasharray": item.is_of_images ? "5 4" : null,
          x1: x(item.low), x2: x(item.high), y1: y, y2: y,
        }),
        ...[item.low, item.high].map((end) =>
          svg("line", { class: "whisker", x1: x(end), x2: x(end), y1: y - 4, y2: y + 4 })),
      ]),
      ...(item.published === null ? [] : [diamond(x(item.published), y, 5.5)]),
      ...(known ? [svg("circle", { class: "filled", cx: x(item.mean), cy: y, r: 5 })] : []));
  });
  roving(lines);
  return svg("svg", { height: bottom + 44, role: "group", "aria-label": title },
    ...xAxis(x, top, bottom, title, (left + right) / 2),
    svg("line", { class: "zero", x1: x(0), x2: x(0), y1: top, y2: bottom }),
    ...lines);
}

// Labels that would lie on one that is there are left out; the marks say what they are.
function placedLabels(points, left, right) {
  const taken = points.map(({ x, y }) => [x - 6, x + 6, y - 6, y + 6]);
  const labels = [];
  for (const { x, y, text } of points) {
    const size = 6.4 * text.length;
    for (const [dx, dy, anchor] of [[9, 4, "start"], [-9, 4, "end"], [0, -10, "middle"], [0, 19, "middle"]]) {
      const from = x + dx - { start: 0, end: size, middle: size / 2 }[anchor];
      const box = [from, from + size, y + dy - 10, y + dy + 3];
      const fits = box[0] >= left && box[1] <= right && taken.every((other) =>
        box[1] < other[0] || box[0] > other[1] || box[3] < other[2] || box[2] > other[3]);
      if (fits) {
        taken.push(box);
        labels.push(svg("text", { class: "soft", x: x + dx, y: y + dy, "text-anchor": anchor }, text));
        break;
      }
    }
  }
  return labels;
}

function drawScatter(width, [xTitle, yTitle], plot) {
  const { reproduced, published } = DATA.scatter;
  const all = [...published, ...reproduced];
  const height = Math.max(300, Math.min(440, width * 0.55));
  const [left, right, top, bottom] = [44, width - 10, 24, height - 46];
  const x = logarithmic(all.map((each) => each.parameters), left, right);
  const y = linear(all.flatMap((each) => [each.mean - (each.sd ?? 0), each.mean + (each.sd ?? 0)]),
    bottom, top, (bottom - top) / 55);
  const points = [];
  const marks = all.map((each, index) => {
    const [cx, cy] = [x(each.parameters), y(each.mean)];
    points.push({ x: cx, y: cy, text: fitted(label(each.row), 240) });
    const side = index < published.length ? "published" : "reproduced";
    const words = `${label(each.row)}, ${side}: MIoU ${each.text}, ${each.parameters_text} ${xTitle.split(" (")[0]}`;
    return mark(plot, words, each.row, "miou",
      svg("circle", { class: "hit", cx, cy, r: 13 }),
      ...(each.sd ? [svg("line", {
        class: "whisker", x1: cx, x2: cx, y1: y(each.mean - each.sd), y2: y(each.mean + each.sd),
      })] : []),
      side === "published" ? diamond(cx, cy, 6.5)
        : svg("circle", { class: "filled", cx, cy, r: 5.5 }));
  });
  roving(marks);
  return svg("svg", { height, role: "group", "aria-label": `${yTitle}, ${xTitle}` },
    ...xAxis(x, top, bottom, xTitle, (left + right) / 2),
    ...yAxis(y, left, right, yTitle),
    ...placedLabels(points, left, right), ...marks);
}

function startFigures() {
  if (DATA.forest.length) drawn("forest", drawForest)();
  else document.querySelector('[data-plot="forest"]')?.closest("figure").remove();
  if (DATA.scatter.reproduced.length) drawn("scatter", drawScatter)();
}
