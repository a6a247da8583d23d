/** What happens to points between the store and the canvas: axis, smoothing, clipping, export. Pure. */
import { ATTEMPT, EPOCH, STEP, TIME, VALUE } from "../metrics.js";

/** @typedef {"step"|"epoch"|"time"|"relative"} Axis */

/**
 * The x of a point; null when the axis does not apply to it.
 * @param {import("../metrics.js").Point} point @param {Axis} axis @param {number} start Unix seconds of the job's start
 */
export function xOf(point, axis, start) {
  if (axis === "epoch") return point[EPOCH];
  if (axis === "time") return point[TIME] * 1000;
  if (axis === "relative") return point[TIME] - start;
  return point[STEP];
}

/**
 * Exponential moving average, corrected for its start, so that the first values are not pulled to zero. Values that
 * are not finite are passed over and stay gaps.
 * @param {[number, number][]} pairs x and y @param {number} weight 0 (none) … below 1
 * @returns {[number, number][]}
 */
export function smooth(pairs, weight) {
  let average = 0;
  let count = 0;
  return pairs.map(([x, y]) => {
    if (!Number.isFinite(y)) return [x, y];
    average = average * weight + (1 - weight) * y;
    count += 1;
    return [x, average / (1 - weight ** count)];
  });
}

/**
 * The range of y without outliers: what lies more than the span between the 5th and the 95th hundredth outside of these. Null
 * when nothing lies outside, or when there are too few values to tell.
 * @param {number[]} values @returns {[number, number]|null}
 */
export function clipRange(values) {
  const sorted = values.filter(Number.isFinite).sort((one, other) => one - other);
  if (sorted.length < 20) return null;
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const span = at(0.95) - at(0.05);
  if (!(span > 0)) return null;
  const low = Math.max(sorted[0], at(0.05) - span);
  const high = Math.min(sorted.at(-1), at(0.95) + span);
  return low === sorted[0] && high === sorted.at(-1) ? null : [low, high];
}

/**
 * Points as pairs for the chart; on a log axis values that have no logarithm are gaps. Over time nothing was measured
 * between two attempts: a null there.
 * @param {import("../metrics.js").Point[]} points @param {{axis: Axis, log: boolean, start: number}} options
 * @returns {[number, number|null][]}
 */
export function pairs(points, { axis, log, start }) {
  const result = [];
  let attempt = null;
  for (const point of points) {
    const x = xOf(point, axis, start);
    if (x === null || x === undefined) continue;
    if (axis === "time" && attempt !== null && attempt !== point[ATTEMPT]) result.push([result.at(-1)[0], null]);
    attempt = point[ATTEMPT];
    const y = point[VALUE];
    result.push([x, log && !(y > 0) ? NaN : y]);
  }
  return result;
}

/** A cell of CSV, quoted where needed; a leading = + - @ of a text is not taken for a formula. @param {unknown} value */
function cell(value) {
  if (value === null || value === undefined) return "";
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * All points of some series as CSV with a byte order mark, which Excel needs for Hangul.
 * @param {import("../metrics.js").Series[]} list
 */
export function toCsv(list) {
  const rows = [["series", "attempt", "step", "epoch", "time", "value"]];
  for (const series of list) {
    for (const [step, epoch, time, value, attempt] of series.points) {
      rows.push([series.info.name, attempt, step, epoch, new Date(time * 1000).toISOString(), value]);
    }
  }
  return `\ufeff${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}

/**
 * Rows for people who read a table instead of a chart: at most `limit` steps, evenly chosen, the last one always there.
 * What the machine used is told by Unix seconds: its steps begin anew with every attempt.
 * @param {import("../metrics.js").Series[]} list @param {number} limit
 * @returns {{steps: number[], values: Map<string, Map<number, number>>}}
 */
export function tableRows(list, limit = 20) {
  const by = list.every((series) => series.isSystem) ? TIME : STEP;
  const values = new Map(
    list.map((series) => [series.info.name, new Map(series.points.map((point) => [point[by], point[VALUE]]))]),
  );
  const all = [...new Set(list.flatMap((series) => series.points.map((point) => point[by])))].sort((a, b) => a - b);
  const every = Math.max(1, Math.ceil(all.length / limit));
  return { steps: all.filter((_, index) => (all.length - 1 - index) % every === 0), values };
}
