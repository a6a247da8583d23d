/** How often something lies where, on a grid over the unit square. */
import { count } from "../format.js";
import { el } from "../dom.js";
import { axisStyle, baseOption, fade, mount } from "./theme.js";

/**
 * Counts as shares of the greatest, by their root, so that what is rare is seen beside what is frequent.
 * @param {number[][]} grid @returns {[number, number, number, number][]} column, row, share, count of each cell that has any
 */
export function cells(grid) {
  const most = Math.max(1, ...grid.flat());
  return grid.flatMap((row, y) => row.flatMap((value, x) => (value ? [[x, y, Math.sqrt(value / most), value]] : [])));
}

/**
 * @param {HTMLElement} element
 * @param {{grid: number[][], x: string, y: string, down?: boolean}} options names of the axes; `down`: the first row is on top
 */
export function density(element, { grid, x, y, down = false }) {
  const size = grid.length;
  const percent = (place) => `${Math.round((place / size) * 100)}%`;
  return mount(element, (chart, colors) => {
    const style = axisStyle(colors);
    const axis = { ...style, type: "category", data: grid.map((_, place) => percent(place)), boundaryGap: true, splitLine: { show: false }, axisTick: { show: false }, axisLabel: { ...style.axisLabel, interval: size / 4 - 1 }, nameLocation: "middle" };
    chart.setOption({
      ...baseOption(colors),
      grid: { left: 28, right: 12, top: 8, bottom: 28, containLabel: true },
      xAxis: { ...axis, name: x, nameGap: 26 },
      yAxis: { ...axis, name: y, nameGap: 38, inverse: down },
      visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: [fade(colors.accent, 0.12), fade(colors.accent, 1)] } },
      tooltip: { ...baseOption(colors).tooltip, formatter: ({ value: [column, row, , found] }) => el("div", { class: "chart-tip px-2", text: `${percent(column)}–${percent(column + 1)} × ${percent(row)}–${percent(row + 1)}: ${count(found)}` }) },
      series: [{ type: "heatmap", data: cells(grid), itemStyle: { borderColor: colors.sheet, borderWidth: 1 } }],
    });
  });
}
