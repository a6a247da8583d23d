/** Figures and times in words; the same words as apps/core/templatetags/ui.py. */
import { fill, gettext, language, ngettext } from "./i18n.js";

/** A measured value with so many significant digits. @param {number|null|undefined} value @param {number} [digits] */
export function figure(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(Math.max(0, digits - 2));
  return String(Number(value.toPrecision(digits)));
}

/** A count with the language's grouping. @param {number} value */
export function count(value) {
  return new Intl.NumberFormat(language()).format(value);
}

/** A size in bytes with binary units. @param {number} value */
export function bytes(value) {
  if (Math.abs(value) < 1024) return fill(ngettext("%(size)s byte", "%(size)s bytes", value), { size: value });
  let size = value;
  let unit = "";
  for (unit of ["KiB", "MiB", "GiB", "TiB"]) {
    size /= 1024;
    if (Math.abs(size) < 1024) break;
  }
  return `${size.toFixed(Math.abs(size) >= 100 ? 0 : 1)}\u00a0${unit}`;
}

/** Seconds as the two largest units. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (days) return fill(gettext("%(days)s d %(hours)s h"), { days, hours });
  if (hours) return fill(gettext("%(hours)s h %(minutes)s min"), { hours, minutes });
  if (minutes) return fill(gettext("%(minutes)s min %(seconds)s s"), { minutes, seconds: whole % 60 });
  return fill(gettext("%(seconds)s s"), { seconds: whole });
}

/** How long ago. @param {number} seconds negative: still to come */
export function ago(seconds) {
  const ahead = seconds < 0;
  const size = Math.abs(seconds);
  if (size < 45) return ahead ? gettext("in a moment") : gettext("just now");
  const unit = size < 45 * 60 ? 60 : size < 22 * 3600 ? 3600 : 86400;
  const count = Math.max(1, Math.round(size / unit));
  return fill(ahead ? words(unit).ahead(count) : words(unit).past(count), { count });
}

/** The sentences of one unit; each text stands in its call, where the collector of texts finds it. @param {number} unit seconds */
function words(unit) {
  return {
    60: {
      ahead: (count) => ngettext("in %(count)s minute", "in %(count)s minutes", count),
      past: (count) => ngettext("%(count)s minute ago", "%(count)s minutes ago", count),
    },
    3600: {
      ahead: (count) => ngettext("in %(count)s hour", "in %(count)s hours", count),
      past: (count) => ngettext("%(count)s hour ago", "%(count)s hours ago", count),
    },
    86400: {
      ahead: (count) => ngettext("in %(count)s day", "in %(count)s days", count),
      past: (count) => ngettext("%(count)s day ago", "%(count)s days ago", count),
    },
  }[unit];
}

/** The zone in which the page writes times; the browser's own where it says none, or one that the browser does not know. */
function ownZone() {
  const name = globalThis.document?.documentElement?.dataset.timeZone || undefined;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch {
    return undefined; // a zone that is younger than this browser
  }
}

/** Year to second of a moment, as digits. @param {number} time Unix seconds @param {string|undefined} timeZone */
function parts(time, timeZone) {
  const two = "2-digit";
  const format = new Intl.DateTimeFormat("en", { timeZone, hourCycle: "h23", year: "numeric", month: two, day: two, hour: two, minute: two, second: two });
  return Object.fromEntries(format.formatToParts(time * 1000).map(({ type, value }) => [type, value]));
}

/** Hours, minutes and seconds of a moment. @param {number} time Unix seconds @param {string} [timeZone] */
export function clock(time, timeZone = ownZone()) {
  const { hour, minute, second } = parts(time, timeZone);
  return `${hour}:${minute}:${second}`;
}

/** Day and time of a moment, as pages write it. @param {number} time Unix seconds @param {string} [timeZone] */
export function moment(time, timeZone = ownZone()) {
  const { year, month, day, hour, minute, second } = parts(time, timeZone);
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** A moment at an axis, with its day where the axis spans more than one. @param {number} time Unix seconds @param {boolean} withDay @param {string} [timeZone] */
export function tick(time, withDay, timeZone = ownZone()) {
  const { month, day, hour, minute, second } = parts(time, timeZone);
  if (withDay) return `${month}-${day} ${hour}:${minute}`;
  return second === "00" ? `${hour}:${minute}` : `${hour}:${minute}:${second}`;
}
