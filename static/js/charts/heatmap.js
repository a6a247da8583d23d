/**
 * A confusion matrix: rows are what was true, columns what was said. Counted, or as a share of the row or column.
 */
import { count } from "../format.js";
import { el } from "../dom.js";
import { fill, gettext } from "../i18n.js";
import { axisStyle, baseOption, fade, mount } from "./theme.js";

/** @typedef {"count"|"row"|"column"} HeatMode */

/**
 * Counts as shares; an empty row or column has no share.
 * @param {number[][]} matrix @param {HeatMode} mode @returns {(number|null)[][]}
 */
export function shares(matrix, mode) {
  if (mode === "count") return matrix;
  const rows = matrix.map((row) => row.reduce((sum, value) => sum + value, 0));
  const columns = (matrix[0] || []).map((_, at) => matrix.reduce((sum, row) => sum + row[at], 0));
  return matrix.map((row, y) =>
    row.map((value, x) => {
      const whole = mode === "row" ? rows[y] : columns[x];
      return whole > 0 ? value / whole : null;
    }),
  );
}

export class Heatmap {
  /**
   * @param {HTMLElement} element
   * @param {{classes: string[], matrix: number[][], mode?: HeatMode, onPick?: (truth: string, said: string) => void}} options
   */
  constructor(element, { classes, matrix, mode = "row", onPick }) {
    this.classes = classes;
    this.matrix = matrix;
    this.mode = mode;
    this.view = mount(element, (chart, colors) => this.#draw(chart, colors), {
      onMount: (chart) => onPick && chart.on("click", ({ value: [x, y] }) => onPick(classes[y], classes[x])),
    });
  }

  /** @param {HeatMode} mode */
  setMode(mode) {
    this.mode = mode;
    this.view.redraw();
  }

  #draw(chart, colors) {
    const cells = shares(this.matrix, this.mode);
    const share = this.mode !== "count";
    const flat = cells.flat().filter((value) => value !== null);
    const words = (value) => (value === null ? "–" : share ? `${Math.round(value * 100)}%` : count(value));
    const style = axisStyle(colors);
    const max = share ? 1 : Math.max(1, ...flat);
    const category = { ...style, type: "category", data: this.classes, splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, color: colors.ink, width: 96, overflow: "truncate" } };
    chart.setOption({
      ...baseOption(colors),
      grid: { left: 24, right: 12, top: 8, bottom: 28, containLabel: true },
      xAxis: { ...category, name: gettext("predicted"), nameLocation: "middle", nameGap: 28 },
      yAxis: { ...category, inverse: true, name: gettext("true"), nameLocation: "middle", nameGap: 64 },
      visualMap: { show: false, min: 0, max, inRange: { color: [colors.raised, fade(colors.accent, 1)] } },
      tooltip: {
        ...baseOption(colors).tooltip,
        formatter: ({ value: [x, y] }) =>
          el("div", { class: "chart-tip px-2", text: fill(gettext("%(truth)s taken for %(said)s: %(count)s (%(share)s)"), { truth: this.classes[y], said: this.classes[x], count: count(this.matrix[y][x]), share: share ? words(cells[y][x]) : "–" }) }),
      },
      series: [
        {
          type: "heatmap",
          itemStyle: { borderColor: colors.sheet, borderWidth: 1 },
          data: cells.flatMap((row, y) => row.map((value, x) => ({ value: [x, y, value ?? 0], label: { color: (value ?? 0) > max * 0.55 ? colors.sheet : colors.ink } }))),
          label: { show: this.classes.length <= 20, formatter: ({ value: [x, y] }) => (this.matrix[y][x] ? words(cells[y][x]) : "") },
        },
      ],
    });
  }
}
