/**
 * A job's measured values in the browser: one list of points per series, in the order of steps, across attempts; what
 * the machine used counts its samples in every attempt anew and is kept in the order of time.
 * A point is [step, epoch, unix time, value, attempt_no], as the metrics endpoint gives it. Pure: no DOM, no network.
 */

/** @typedef {[number, number|null, number, number, number]} Point */
/** @typedef {{name: string, title?: string, group?: string, split?: string, scope?: string, goal?: string|null, primary?: boolean}} SeriesInfo */

export const STEP = 0;
export const EPOCH = 1;
export const TIME = 2;
export const VALUE = 3;
export const ATTEMPT = 4;

/** A number as the journal writes it: not-a-number and infinity by name. @param {number|string} value */
export function toNumber(value) {
  if (typeof value === "number") return value;
  return { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity }[value] ?? NaN;
}

/** Unix seconds. @param {number|string} time seconds or an ISO date */
export function toSeconds(time) {
  return typeof time === "number" ? time : Date.parse(time) / 1000;
}

/** The split is the first part of a name: `train/loss`. @param {string} name */
export function splitOf(name) {
  const at = name.indexOf("/");
  return at > 0 ? name.slice(0, at) : "";
}

/** The name without its split: `train/loss` and `val/loss` are one thing in two colours of line. @param {string} name */
export function baseOf(name) {
  return name.replace(/^(train|val|test)\//, "");
}

/** What a series shares its chart by. @param {Series} series */
function groupOf({ info, isSystem }) {
  if (!isSystem) return info.group || baseOf(info.name);
  return /percent/.test(info.name) ? "utilisation" : /_mb$/.test(info.name) ? "memory" : baseOf(info.name);
}

export class Series {
  /** @param {SeriesInfo} info */
  constructor(info) {
    this.info = { title: baseOf(info.name), split: splitOf(info.name), group: "", ...info };
    /** @type {Point[]} */
    this.points = [];
    // Whether the portal has told its title and group: until then it belongs to no chart.
    this.described = false;
    this.asked = 0; // how often the portal was asked for it in vain
  }

  /** Whether its steps are samples of the machine, which no later attempt does again. */
  get isSystem() {
    return this.info.scope === "system";
  }

  /**
   * Adds a point where it belongs. The same step of the same attempt: the last wins. A later attempt that goes on at a
   * step cuts what earlier attempts had from there.
   * @param {Point} point
   */
  add(point) {
    if (this.isSystem) return void this.#addSample(point);
    const { points } = this;
    const [step, , , , attempt] = point;
    const end = points.at(-1);
    if (!end || (end[ATTEMPT] === attempt && end[STEP] < step)) return void points.push(point);
    if (attempt < end[ATTEMPT] && points.some((other) => other[ATTEMPT] > attempt && other[STEP] <= step)) return;
    let at = points.length;
    while (at > 0 && points[at - 1][STEP] >= step) at -= 1;
    const same = points[at];
    if (same && same[STEP] === step && same[ATTEMPT] === attempt) {
      points[at] = point;
      return;
    }
    const kept = points.slice(at).filter((other) => other[ATTEMPT] >= attempt);
    points.splice(at, points.length - at, point, ...kept);
  }

  /** @param {Point} point */
  #addSample(point) {
    const { points } = this;
    const end = points.at(-1);
    if (!end || (end[TIME] <= point[TIME] && end[ATTEMPT] === point[ATTEMPT] && end[STEP] < point[STEP])) return void points.push(point);
    const same = points.findLastIndex((other) => other[ATTEMPT] === point[ATTEMPT] && other[STEP] === point[STEP]);
    if (same >= 0) points.splice(same, 1);
    let at = points.length;
    while (at > 0 && points[at - 1][TIME] > point[TIME]) at -= 1;
    points.splice(at, 0, point);
  }

  /** @param {Point[]} points as loaded: values may be named numbers */
  load(points) {
    this.points = points.map(([step, epoch, time, value, attempt]) => [step, epoch, time, toNumber(value), attempt]);
  }
}

export class MetricStore {
  constructor() {
    /** @type {Map<string, Series>} */
    this.series = new Map();
  }

  /** What the portal says of a series. @param {SeriesInfo} info @returns {Series} */
  describe(info) {
    const series = this.declare(info);
    series.described = true;
    return series;
  }

  /** @param {SeriesInfo} info @returns {Series} */
  declare(info) {
    const known = this.series.get(info.name);
    if (known) {
      Object.assign(known.info, info);
      return known;
    }
    const made = new Series(info);
    this.series.set(info.name, made);
    return made;
  }

  /**
   * Applies one `metrics` event.
   * @param {{type: string, attempt_no: number|null, time: number|string, data: any}} event
   * @returns {{changed: Set<string>, unknown: Set<string>}} names of series that grew, and of those not described yet
   */
  apply(event) {
    const changed = new Set();
    const unknown = new Set();
    if (event.type !== "metrics") return { changed, unknown };
    const { step, epoch = null, values = {}, scope } = event.data;
    for (const [name, value] of Object.entries(values)) {
      const series = this.series.get(name) || this.declare({ name, scope });
      if (!series.described) unknown.add(name);
      series.add([step, epoch, toSeconds(event.time), toNumber(value), event.attempt_no ?? 1]);
      changed.add(name);
    }
    return { changed, unknown };
  }

  /**
   * Series by chart, `job:<group>` or `system:<what>`: those of one `group` share one. A series that came live before
   * its title and group are known is in none.
   * @returns {Map<string, Series[]>}
   */
  groups() {
    const groups = new Map();
    for (const series of this.series.values()) {
      if (!series.described || !series.points.length) continue;
      const key = `${series.isSystem ? "system" : "job"}:${groupOf(series)}`;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(series);
    }
    return groups;
  }
}
