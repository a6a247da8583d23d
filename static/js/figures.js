/**
 * Charts that are drawn once from data in the page, each with role="img" and an aria-label:
 *   [data-figure="bars"][data-values='[{"name", "value"}]'][data-unit][data-max]
 *   [data-figure="columns"][data-values='[{"name", "value"}]'], counts in the order of time
 *   [data-figure="stacked"][data-values='{"names": […], "series": [{"name", "values"}]}']
 *   [data-figure="density"][data-values='[[…], …]'][data-x][data-y][data-from="top"], counts on a grid over the unit square
 *   [data-figure="matrix"][data-classes='["a", …]'][data-values='[[…], …]'], with [data-figure-mode] (a select of count,
 *     row, column) in the same [data-figure-scope]; a click dispatches `figure:pick` with {truth, said}
 *   [data-figure="curve"][data-values='[{"name", "x": […], "y": […], "mean"?}]'][data-x][data-y][data-threshold]
 */
import { bars, columns, stacked } from "./charts/bars.js";
import { curve } from "./charts/curve.js";
import { density } from "./charts/density.js";
import { Heatmap } from "./charts/heatmap.js";

const KINDS = {
  bars(element, values) {
    const { unit, max } = element.dataset;
    bars(element, values, { unit, max: max === undefined ? undefined : Number(max) });
  },
  columns,
  stacked,
  density(element, grid) {
    const { x, y, from } = element.dataset;
    density(element, { grid, x, y, down: from === "top" });
  },
  matrix(element, values) {
    const select = element.closest("[data-figure-scope]")?.querySelector("[data-figure-mode]");
    const heatmap = new Heatmap(element, {
      classes: JSON.parse(element.dataset.classes),
      matrix: values,
      mode: select?.value,
      onPick: (truth, said) => element.dispatchEvent(new CustomEvent("figure:pick", { bubbles: true, detail: { truth, said } })),
    });
    select?.addEventListener("change", () => heatmap.setMode(select.value));
  },
  curve(element, values) {
    const { x, y, threshold } = element.dataset;
    curve(element, { curves: values, x, y, threshold: threshold === undefined ? undefined : Number(threshold) });
  },
};

function startFigures() {
  for (const element of document.querySelectorAll("[data-figure]:not([data-ready])")) {
    element.dataset.ready = "";
    KINDS[element.dataset.figure]?.(element, JSON.parse(element.dataset.values || "[]"));
  }
}

startFigures();
document.addEventListener("content:change", startFigures);
