/** Bars: one value per class, split or state; stacked: one for each part of it. Columns: one count per day or range. */
import { figure } from "../format.js";
import { el } from "../dom.js";
import { axisStyle, baseOption, mount } from "./theme.js";

/**
 * Horizontal bars in the order given; the longest names are cut by the chart, never wrapped.
 * @param {HTMLElement} element
 * @param {{name: string, value: number}[]} values
 * @param {{unit?: string, max?: number}} [options]
 */
export function bars(element, values, { unit = "", max } = {}) {
  return mount(element, (chart, colors) => {
    const style = axisStyle(colors);
    chart.setOption({
      ...baseOption(colors),
      grid: { left: 8, right: 48, top: 8, bottom: 8, containLabel: true },
      xAxis: { ...style, type: "value", max, axisLabel: { ...style.axisLabel, formatter: (value) => figure(value, 3) } },
      yAxis: { ...style, type: "category", inverse: true, data: values.map((item) => item.name), splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, color: colors.ink, width: 140, overflow: "truncate" } },
      tooltip: { ...baseOption(colors).tooltip, trigger: "item", formatter: (item) => el("div", { class: "chart-tip px-2", text: `${item.name}: ${figure(item.value)}${unit && ` ${unit}`}` }) },
      series: [{ type: "bar", barMaxWidth: 18, data: values.map((item) => item.value), itemStyle: { color: colors.series[0], borderRadius: [0, 2, 2, 0] }, label: { show: true, position: "right", color: colors.soft, formatter: (item) => figure(item.value, 3) } }],
    });
  });
}

/**
 * Upright columns in the order given, for counts: the axis has whole numbers, and a day without any is a gap.
 * @param {HTMLElement} element
 * @param {{name: string, value: number}[]} values
 */
export function columns(element, values) {
  return mount(element, (chart, colors) => {
    const style = axisStyle(colors);
    chart.setOption({
      ...baseOption(colors),
      grid: { left: 8, right: 8, top: 12, bottom: 8, containLabel: true },
      xAxis: { ...style, type: "category", data: values.map((item) => item.name), splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, hideOverlap: true } },
      yAxis: { ...style, type: "value", minInterval: 1, axisLabel: { ...style.axisLabel, formatter: (value) => figure(value, 3) } },
      tooltip: { ...baseOption(colors).tooltip, trigger: "item", formatter: (item) => el("div", { class: "chart-tip px-2", text: `${item.name}: ${figure(item.value)}` }) },
      series: [{ type: "bar", barMaxWidth: 28, data: values.map((item) => item.value), itemStyle: { color: colors.series[0], borderRadius: [2, 2, 0, 0] } }],
    });
  });
}

/**
 * Horizontal bars of several parts each, with a legend of the parts.
 * @param {HTMLElement} element
 * @param {{names: string[], series: {name: string, values: number[]}[]}} values
 */
export function stacked(element, { names, series }) {
  element.style.height = `${names.length * 26 + 72}px`;
  return mount(element, (chart, colors) => {
    const style = axisStyle(colors);
    chart.setOption({
      ...baseOption(colors),
      legend: { top: 0, left: 8, textStyle: { color: colors.ink } },
      grid: { left: 8, right: 24, top: 36, bottom: 8, containLabel: true },
      xAxis: { ...style, type: "value", minInterval: 1, axisLabel: { ...style.axisLabel, formatter: (value) => figure(value, 3) } },
      yAxis: { ...style, type: "category", inverse: true, data: names, splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, color: colors.ink, width: 140, overflow: "truncate" } },
      tooltip: { ...baseOption(colors).tooltip, trigger: "item", formatter: (item) => el("div", { class: "chart-tip px-2", text: `${item.name}, ${item.seriesName}: ${figure(item.value)}` }) },
      series: series.map((part, place) => ({ type: "bar", stack: "all", name: part.name, barMaxWidth: 18, data: part.values, itemStyle: { color: colors.series[place % colors.series.length] } })),
    });
  });
}
