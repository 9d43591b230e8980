"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// Every text goes through here or through textContent: nothing of the report is taken for markup.
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const el = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

const label = (row) => DATA.rows[row]?.label ?? row;

function debounced(action) {
  let pending = 0;
  return () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(action);
  };
}

// One of several elements is reached by Tab, the others by the arrow keys.
function roving(elements) {
  const focus = (index) => {
    const next = elements[Math.max(0, Math.min(elements.length - 1, index))];
    for (const each of elements) each.setAttribute("tabindex", each === next ? "0" : "-1");
    next.focus();
  };
  elements.forEach((each, index) => {
    each.setAttribute("tabindex", index ? "-1" : "0");
    each.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (step) focus(index + step);
      else if (event.key === "Home") focus(0);
      else if (event.key === "End") focus(elements.length - 1);
      else if (event.key === "Enter" || event.key === " ") each.dispatchEvent(new Event("click"));
      else return;
      event.preventDefault();
    });
  });
}

function startTheme() {
  const group = document.getElementById("theme");
  group.hidden = document.getElementById("help").hidden = false;
  group.addEventListener("change", (event) => {
    document.documentElement.style.colorScheme = event.target.value;
  });
}

function startNavigation() {
  const links = new Map($$("nav a").map((link) => [link.hash.slice(1), link]));
  const shown = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) shown.add(target.id);
      else shown.delete(target.id);
    }
    const current = [...links.keys()].find((id) => shown.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-64px 0px -40% 0px" });
  for (const section of $$("main > section")) observer.observe(section);
}
