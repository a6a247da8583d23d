/** Precision over recall, F1 over confidence and their kin: one thin line per class, the mean drawn strong. */
import { figure } from "../format.js";
import { el } from "../dom.js";
import { gettext } from "../i18n.js";
import { axisStyle, baseOption, mount } from "./theme.js";

/**
 * @param {HTMLElement} element
 * @param {{curves: {name: string, x: number[], y: number[], mean?: boolean}[], x: string, y: string, threshold?: number}} options
 *   `x`, `y`: names of the axes, both 0 … 1; `threshold` draws a line at that x
 */
export function curve(element, { curves, x, y, threshold }) {
  return mount(element, (chart, colors) => {
    const style = axisStyle(colors);
    const axis = { ...style, type: "value", min: 0, max: 1, nameLocation: "middle" };
    let index = 0;
    chart.setOption({
      ...baseOption(colors),
      grid: { left: 28, right: 20, top: 36, bottom: 28, containLabel: true },
      legend: { type: "scroll", top: 2, left: 12, right: 12, itemWidth: 22, itemHeight: 8, itemStyle: { opacity: 0 }, lineStyle: { width: 2 }, textStyle: { color: colors.soft }, pageTextStyle: { color: colors.soft } },
      xAxis: { ...axis, name: x, nameGap: 26 },
      yAxis: { ...axis, name: y, nameGap: 36 },
      tooltip: { ...baseOption(colors).tooltip, trigger: "item", formatter: ({ seriesName, value }) => el("div", { class: "chart-tip px-2", text: `${seriesName}: ${x} ${figure(value[0], 3)}, ${y} ${figure(value[1], 3)}` }) },
      series: curves.map((line) => ({
        type: "line",
        name: line.mean ? gettext("mean") : line.name,
        showSymbol: false,
        triggerLineEvent: true,
        data: line.x.map((value, at) => [value, line.y[at]]),
        lineStyle: { width: line.mean ? 3 : 1.25 },
        color: line.mean ? colors.ink : colors.series[index++ % colors.series.length],
        z: line.mean ? 3 : 2,
        markLine: line.mean && threshold !== undefined ? { symbol: "none", silent: true, label: { show: false }, lineStyle: { color: colors.accent, type: "dashed" }, data: [{ xAxis: threshold }] } : undefined,
      })),
    });
  });
}
