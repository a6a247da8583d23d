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

const ALL_NAMES = 30; // so many classes have every name on both axes
const [ROW, COLUMN] = [20, 16]; // px that a name needs
const WIDEST = 96; // px of a name, cut beyond

/** How wide the widest name is drawn, in px. @param {string[]} names @param {string} font */
function widest(names, font) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  return Math.min(WIDEST, Math.ceil(Math.max(0, ...names.map((name) => pen.measureText(name).width))));
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
    this.named = classes.length <= ALL_NAMES;
    if (this.named) {
      // Names need their height beside the rows and their width below the columns; what is narrower is scrolled.
      element.style.minHeight = `${classes.length * ROW + 140}px`;
      element.style.minWidth = `${classes.length * COLUMN + 140}px`;
      element.parentElement.style.overflowX = "auto";
    }
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
    const category = { ...style, type: "category", data: this.classes, splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, color: colors.ink, width: WIDEST, overflow: "truncate", ...(this.named ? { interval: 0, hideOverlap: false } : {}) } };
    const base = baseOption(colors);
    const wide = widest(this.classes, `${base.textStyle.fontSize}px ${base.textStyle.fontFamily}`);
    // Upright words fit where lying ones would cover one another.
    const upright = this.named && this.classes.length * (wide + 12) > chart.getWidth() - wide - 60;
    chart.setOption({
      ...base,
      grid: { left: 24, right: 12, top: 8, bottom: upright ? 36 : 28, containLabel: true },
      xAxis: { ...category, axisLabel: { ...category.axisLabel, rotate: upright ? 90 : 0 }, name: gettext("predicted"), nameLocation: "middle", nameGap: (upright ? wide : 14) + 16 },
      yAxis: { ...category, inverse: true, name: gettext("true"), nameLocation: "middle", nameGap: wide + 18 },
      visualMap: { show: false, min: 0, max, inRange: { color: [colors.raised, fade(colors.accent, 1)] } },
      tooltip: {
        ...base.tooltip,
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
