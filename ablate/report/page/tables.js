// Tables: headings sort, switches choose a view, numbers open their provenance.

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

// The value that a group of lines is sorted by: of the first line that has one.
function sortValue(body, column) {
  for (const line of body.rows) {
    const value = line.cells[column]?.dataset.value;
    if (value !== undefined) return Number(value);
  }
  const cell = body.rows[0].cells[column];
  return cell.classList.contains("missing") || cell.classList.contains("none")
    ? null
    : cell.textContent;
}

// Numbers before texts; what is missing comes last in either direction.
function compared(first, second, direction) {
  if (first === null || second === null) return (first === null) - (second === null);
  if (typeof first !== typeof second) return typeof first === "number" ? -1 : 1;
  const order = typeof first === "number" ? first - second : collator.compare(first, second);
  return direction * order;
}

function sort(table, column, direction) {
  const bodies = [...table.tBodies];
  for (const [index, body] of bodies.entries()) body.dataset.order ??= index;
  const keyed = bodies.map((body) => [
    direction ? sortValue(body, column) : Number(body.dataset.order),
    Number(body.dataset.order),
    body,
  ]);
  keyed.sort((a, b) => compared(a[0], b[0], direction || 1) || a[1] - b[1]);
  table.append(...keyed.map(([, , body]) => body));
}

function startSorting(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = el("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const state = next[head.getAttribute("aria-sort")];
      for (const each of heads) each.setAttribute("aria-sort", each === head ? state : "none");
      sort(table, column, { none: 0, ascending: 1, descending: -1 }[state]);
    });
  });
}

// The first cell of a row is reached by Tab, its numbers from there by the arrow keys.
function startNumbers(table) {
  const heads = [...table.tHead.rows[0].cells];
  for (const body of table.tBodies) {
    if (!Object.hasOwn(DATA.rows, body.dataset.row ?? "")) continue;
    for (const line of body.rows) {
      for (const cell of line.cells) {
        if (cell.tagName !== "TH" && !cell.matches(".number, .missing")) continue;
        const button = el("button", {
          type: "button",
          class: "value",
          tabindex: cell.tagName === "TH" ? "0" : "-1",
          "aria-haspopup": "dialog",
        });
        button.append(...[...cell.childNodes].filter((node) => node.nodeName !== "SUP"));
        cell.prepend(button);
      }
    }
  }
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("button.value")?.parentElement;
    if (cell) showProvenance(cell.closest("tbody").dataset.row, heads[cell.cellIndex].dataset.key);
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("button.value")?.parentElement;
    const [right, down] = {
      ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1],
    }[event.key] ?? [0, 0];
    if (!cell || (!right && !down)) return;
    event.preventDefault();
    const lines = $$("tbody tr", table);
    let line = lines.indexOf(cell.parentElement);
    let column = cell.cellIndex;
    for (;;) {
      line += down;
      column += right;
      const next = lines[line]?.cells[column];
      if (!next) return;
      const button = next.querySelector("button.value");
      if (button) return button.focus();
    }
  });
}

function startViews() {
  const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
  for (const switches of $$(".switches")) {
    switches.addEventListener("change", () => {
      const views = $$(".view", switches.parentElement);
      const [metrics, side] = [chosen("metrics"), chosen("side")];
      for (const view of views) {
        view.hidden = (metrics !== undefined && view.dataset.metrics !== metrics)
          || (side !== undefined && view.dataset.side !== side);
      }
    });
  }
}

function startTables() {
  for (const table of $$("table[data-table]")) {
    startSorting(table);
    startNumbers(table);
  }
  startViews();
}
