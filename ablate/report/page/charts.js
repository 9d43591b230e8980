// Axes: where values lie, and which of them get a tick.

function niceStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
}

function decimals(step) {
  return Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
}

// A little room at both ends, so that no mark is cut.
function linear(values, from, to, count) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [low - room, high + room];
  const scale = (value) => from + ((value - low) / (high - low)) * (to - from);
  const step = niceStep(high - low, count);
  scale.ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) {
    const text = (Math.abs(tick) < step / 2 ? 0 : tick).toFixed(decimals(step));
    scale.ticks.push([tick, text.replace("-", "−")]);
  }
  return scale;
}

function logarithmic(values, from, to) {
  const powers = values.map(Math.log10);
  let [low, high] = [Math.min(...powers), Math.max(...powers)];
  const room = Math.max(0.004, (high - low) * 0.06);
  [low, high] = [low - room, high + room];
  const scale = (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
  const fits = (factors) => {
    const found = [];
    for (let power = Math.floor(low); power <= high; power += 1) {
      for (const factor of factors) {
        const tick = factor * 10 ** power;
        if (Math.log10(tick) >= low && Math.log10(tick) <= high) found.push(tick);
      }
    }
    return found;
  };
  let ticks = fits([1]);
  if (ticks.length < 3) ticks = fits([1, 2, 5]);
  if (ticks.length < 2) {
    ticks = linear([10 ** low, 10 ** high], 0, 1, 3).ticks.map(([tick]) => tick)
      .filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high);
  }
  scale.ticks = ticks.map((tick) => [tick, compact(tick)]);
  return scale;
}

function compact(number) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return `${Number((number / size).toPrecision(4))} ${unit}`;
  }
  return String(Number(number.toPrecision(4)));
}

function xAxis(scale, top, bottom, title, middle) {
  return [
    ...scale.ticks.flatMap(([tick, text]) => [
      svg("line", { class: "grid", x1: scale(tick), x2: scale(tick), y1: top, y2: bottom }),
      svg("text", { class: "tick", x: scale(tick), y: bottom + 16, "text-anchor": "middle" }, text),
    ]),
    svg("text", { class: "soft", x: middle, y: bottom + 36, "text-anchor": "middle" }, title),
  ];
}

function yAxis(scale, left, right, title) {
  return [
    ...scale.ticks.flatMap(([tick, text]) => [
      svg("line", { class: "grid", x1: left, x2: right, y1: scale(tick), y2: scale(tick) }),
      svg("text", { class: "tick", x: left - 6, y: scale(tick) + 4, "text-anchor": "end" }, text),
    ]),
    svg("text", { class: "soft", x: 0, y: 10 }, title),
  ];
}

const diamond = (x, y, size) =>
  svg("path", { class: "hollow", d: `M${x} ${y - size}l${size} ${size}l${-size} ${size}l${-size} ${-size}z` });

// Draws now, and again where the width changes.
function drawn(name, draw) {
  const plot = document.querySelector(`[data-plot="${name}"]`);
  if (!plot) return () => {};
  let width = 0;
  const redraw = () => {
    const style = getComputedStyle(plot);
    width = plot.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (width > 0) plot.replaceChildren(draw(width, plot.dataset.axes.split("|"), plot));
  };
  new ResizeObserver(() => {
    const style = getComputedStyle(plot);
    const now = plot.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (Math.abs(now - width) > 1) redraw();
  }).observe(plot);
  return redraw;
}
