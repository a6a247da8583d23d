/**
 * Curves of one group of series. Train is solid, validation dashed, one hue per quantity. Shared by the charts of a page:
 * the settings (axis, log, smoothing, clipping) and the crosshair.
 */
import { figure, moment, tick } from "../format.js";
import { gettext } from "../i18n.js";
import { baseOf } from "../metrics.js";
import { download, el, svg } from "../dom.js";
import { clipRange, pairs, smooth, tableRows, toCsv } from "./series.js";
import { axisStyle, baseOption, fade, mount } from "./theme.js";

/** Milliseconds of an axis of times from which on hours alone say too little. */
const DAY = 20 * 3_600_000;

/** @typedef {{axis: import("./series.js").Axis, log: boolean, smoothing: number, clip: boolean}} LineSettings */

const DASH = { val: [6, 4], test: [2, 3] };

/** What the x axis counts. @param {string} axis */
function axisName(axis) {
  return { step: gettext("step"), epoch: gettext("epoch"), time: "", relative: gettext("seconds") }[axis];
}

export class LineChart {
  /**
   * @param {HTMLElement} element an empty box with a size
   * @param {{name: string, connect?: string, start: () => number, settings: LineSettings}} options `start`: Unix seconds
   */
  constructor(element, { name, connect = "", start, settings }) {
    this.element = element;
    this.name = name;
    this.start = start;
    this.settings = settings;
    /** @type {import("../metrics.js").Series[]} */
    this.list = [];
    this.hidden = new Set();
    this.zoom = null;
    this.view = mount(element, (chart, colors) => this.#draw(chart, colors), {
      onMount: (chart) => this.#mounted(chart, connect),
    });
  }

  /** @param {import("../metrics.js").Series[]} list */
  show(list) {
    this.list = list;
    this.view.redraw();
  }

  refresh() {
    this.view.redraw();
  }

  resetZoom() {
    this.zoom = null;
    this.view.chart()?.dispatchAction({ type: "dataZoom", start: 0, end: 100 });
  }

  savePng() {
    const chart = this.view.chart();
    if (!chart) return;
    const background = chart.getOption().backgroundColor;
    download(`${this.name}.png`, chart.getDataURL({ pixelRatio: 2, backgroundColor: background }));
  }

  saveCsv() {
    download(`${this.name}.csv`, new Blob([toCsv(this.list)], { type: "text/csv" }));
  }

  /** The same values for people who do not see the canvas. @returns {HTMLElement} */
  table() {
    const { steps, values } = tableRows(this.list);
    const timed = this.list.every((series) => series.isSystem);
    return el(
      "table",
      { class: "table table-sm" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: timed ? gettext("time") : gettext("step") }), ...this.list.map((series) => el("th", { scope: "col", class: "is-number", text: this.#label(series) })))),
      el("tbody", {}, ...steps.map((step) => el("tr", {}, el("th", { scope: "row", text: timed ? moment(step) : step }), ...this.list.map((series) => el("td", { class: "is-number", text: values.get(series.info.name).has(step) ? figure(values.get(series.info.name).get(step)) : "" }))))),
    );
  }

  destroy() {
    this.view.destroy();
  }

  #label(series) {
    const split = { train: gettext("train"), val: gettext("val"), test: gettext("test") }[series.info.split];
    return split ? `${series.info.title} · ${split}` : series.info.title;
  }

  #mounted(chart, connect) {
    if (connect) {
      chart.group = connect;
      window.echarts.connect(connect);
    }
    chart.on("legendselectchanged", ({ selected }) => {
      this.hidden = new Set(Object.keys(selected).filter((name) => !selected[name]));
    });
    chart.on("datazoom", () => {
      const [zoom] = chart.getOption().dataZoom;
      this.zoom = zoom.start === 0 && zoom.end === 100 ? null : { startValue: zoom.startValue, endValue: zoom.endValue };
    });
    chart.getZr().on("dblclick", () => this.resetZoom());
  }

  #draw(chart, colors) {
    const { axis, log, smoothing, clip } = this.settings;
    const start = this.start();
    const hues = [...new Set(this.list.map((series) => baseOf(series.info.name)))];
    const drawn = [];
    const visible = [];
    const ends = [];
    for (const series of this.list) {
      const color = colors.series[hues.indexOf(baseOf(series.info.name)) % colors.series.length];
      const raw = pairs(series.points, { axis, log, start });
      const label = this.#label(series);
      if (raw.length) ends.push(raw[0][0], raw.at(-1)[0]);
      if (!this.hidden.has(label)) visible.push(...raw.map(([, y]) => y));
      const shared = { type: "line", sampling: "minmax", connectNulls: false, showSymbol: raw.length === 1, symbolSize: 6, emphasis: { disabled: true } };
      const line = { color, width: 1.75, type: DASH[series.info.split] || "solid" };
      if (smoothing > 0) {
        drawn.push({ ...shared, name: label, id: `${series.info.name} raw`, data: raw, silent: true, showSymbol: false, tooltip: { show: false }, lineStyle: { ...line, color: fade(color, 0.22), width: 1, type: "solid" }, itemStyle: { color }, z: 1 });
      }
      drawn.push({ ...shared, name: label, id: series.info.name, data: smoothing > 0 ? smooth(raw, smoothing) : raw, lineStyle: line, itemStyle: { color }, z: 2 });
    }
    const withDay = Math.max(...ends) - Math.min(...ends) > DAY;
    const range = clip && !log ? clipRange(visible) : null;
    const style = axisStyle(colors);
    chart.setOption(
      {
        ...baseOption(colors),
        backgroundColor: colors.sheet,
        grid: { left: 8, right: 20, top: drawn.length ? 36 : 12, bottom: 22, containLabel: true },
        legend: {
          type: "scroll", top: 2, left: 12, right: 12, itemWidth: 22, itemHeight: 8, itemGap: 14, itemStyle: { opacity: 0 }, lineStyle: { width: 2 },
          textStyle: { color: colors.soft }, pageTextStyle: { color: colors.soft }, pageIconColor: colors.soft, inactiveColor: colors.rule,
          data: this.list.map((series) => this.#label(series)),
          selected: Object.fromEntries([...this.hidden].map((name) => [name, false])),
        },
        xAxis: {
          ...style, type: axis === "time" ? "time" : "value", name: axisName(axis), nameLocation: "middle", nameGap: 24,
          min: axis === "time" ? undefined : "dataMin", max: axis === "time" ? undefined : "dataMax", splitLine: { show: false }, minInterval: axis === "step" ? 1 : 0,
          axisPointer: { snap: true, label: { show: false } },
          axisLabel: { ...style.axisLabel, formatter: axis === "time" ? (value) => tick(value / 1000, withDay) : null },
        },
        yAxis: {
          ...style, type: log ? "log" : "value", scale: true, min: range?.[0], max: range?.[1],
          axisLabel: { ...style.axisLabel, showMinLabel: !range, showMaxLabel: !range, formatter: (value) => figure(value, 3) },
        },
        dataZoom: [{ type: "inside", id: "zoom", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, filterMode: "none", ...(this.zoom || { start: 0, end: 100 }) }],
        toolbox: { itemSize: 0, right: -40, feature: { dataZoom: { yAxisIndex: "none", filterMode: "none", brushStyle: { color: fade(colors.accent, 0.15), borderColor: colors.accent } } } },
        tooltip: { ...baseOption(colors).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colors.soft, type: "dashed" } }, formatter: (items) => this.#tip(items) },
        series: drawn,
      },
      { notMerge: false, replaceMerge: ["series"], lazyUpdate: true },
    );
    // Dragging selects a span at once, without a tool to be chosen first.
    chart.dispatchAction({ type: "takeGlobalCursor", key: "dataZoomSelect", dataZoomSelectActive: true });
  }

  /** Built from elements: the policy of our pages allows no style attribute in markup. */
  #tip(items) {
    const shown = items.filter((item) => !item.seriesId?.endsWith(" raw") && item.value[1] !== null);
    if (!shown.length) return "";
    const x = shown[0].axisValue;
    const { axis } = this.settings;
    const head = axis === "time" ? moment(x / 1000) : `${axisName(axis)} ${figure(x, 7)}`;
    const rows = shown.map((item) => {
      const dash = this.list.find((series) => series.info.name === item.seriesId)?.info.split;
      const line = svg("line", { x1: 0, y1: 4, x2: 20, y2: 4, stroke: item.color, "stroke-width": 2.5, "stroke-dasharray": (DASH[dash] || []).join(" ") });
      return el("tr", {}, el("td", {}, svg("svg", { viewBox: "0 0 20 8" }, line)), el("td", { text: item.seriesName }), el("td", { text: figure(item.value[1]) }));
    });
    return el("div", { class: "chart-tip" }, el("div", { class: "px-2", text: head }), el("table", {}, el("tbody", {}, ...rows)));
  }
}
