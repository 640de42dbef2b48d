// Draws the charts, lets arrow keys move over their values, and opens what paper should show.
"use strict";

const options = {
  renderer: "svg",
  actions: false,
  mode: "vega-lite",
  tooltip: { theme: "custom", disableDefaultStyle: true },
};

/** The drawn elements that have a tooltip, series after series, from left to right. */
function valuesOf(plot) {
  const values = [];
  for (const element of plot.querySelectorAll(".role-mark path, .role-mark text")) {
    const item = element.__data__;
    if (!item || !item.tooltip || typeof item.tooltip !== "object") continue;
    const box = element.getBoundingClientRect();
    values.push({ element, said: item.tooltip, series: item.datum.label ?? "", x: box.x + box.width / 2, y: box.y });
  }
  const order = [...new Set(values.map((value) => value.series))];
  values.sort((a, b) => order.indexOf(a.series) - order.indexOf(b.series) || a.x - b.x || b.y - a.y);
  return values;
}

/** Where an arrow key leads: sideways through all values, up and down to the nearest one of another series. */
function next(values, at, key) {
  if (key === "Home") return 0;
  if (key === "End") return values.length - 1;
  if (at < 0) return 0;
  if (key === "ArrowRight") return Math.min(values.length - 1, at + 1);
  if (key === "ArrowLeft") return Math.max(0, at - 1);
  const order = [...new Set(values.map((value) => value.series))];
  const series = order[order.indexOf(values[at].series) + (key === "ArrowDown" ? 1 : -1)];
  const others = values.filter((value) => value.series === series);
  others.sort((a, b) => Math.abs(a.x - values[at].x) - Math.abs(b.x - values[at].x));
  return others.length ? values.indexOf(others[0]) : at;
}

function keyboard(figure) {
  const plot = figure.querySelector(".plot");
  const mark = figure.querySelector(".mark");
  const readout = figure.querySelector(".readout");
  let current = null;

  function leave() {
    current = null;
    mark.hidden = true;
    readout.textContent = "";
  }

  plot.addEventListener("blur", leave);
  plot.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return leave();
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const values = valuesOf(plot);
    if (!values.length) return;
    const at = values.findIndex((value) => value.element === current);
    const value = values[next(values, at, event.key)];
    current = value.element;
    readout.textContent = Object.entries(value.said).map(([name, said]) => `${name} ${said}`).join(" · ");
    const box = current.getBoundingClientRect();
    const around = plot.getBoundingClientRect();
    mark.hidden = false;
    mark.style.left = `${box.x - around.x - 5}px`;
    mark.style.top = `${box.y - around.y - 5}px`;
    mark.style.width = `${box.width + 10}px`;
    mark.style.height = `${box.height + 10}px`;
  });
}

function cell(name, value) {
  const element = document.createElement(name);
  if (typeof value === "number") {
    element.className = "n";
    element.textContent = value.toLocaleString("en", Number.isInteger(value) ? {} : { maximumSignificantDigits: 4 });
  } else {
    element.textContent = value ?? "–";
  }
  return element;
}

/** The values of a chart as a table, made when it is first opened: on the page they stand once only. */
function table(figure, columns, rows) {
  figure.querySelector("details").addEventListener("toggle", () => {
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    for (const [name, heading] of columns) {
      const element = cell("th", heading);
      element.scope = "col";
      if (rows.some((row) => typeof row[name] === "number")) element.className = "n";
      head.append(element);
    }
    const body = made.createTBody();
    for (const row of rows) body.insertRow().append(...columns.map(([name]) => cell("td", row[name])));
    made.className = "values";
    figure.querySelector("details .scroll").append(made);
  }, { once: true });
}

async function draw() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    const { columns, spec } = JSON.parse(figure.querySelector("script").textContent);
    table(figure, columns, spec.data.values);
    await window.vegaEmbed(figure.querySelector(".vega"), spec, options);
    keyboard(figure);
  }
  document.documentElement.dataset.charts = "drawn";
}

// A link to a run, and paper, open what is folded up.
function open(selector) {
  for (const details of document.querySelectorAll(selector)) details.open = true;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

window.addEventListener("hashchange", openTarget);
window.addEventListener("beforeprint", () => open("details[data-paper]"));
openTarget();
draw();
