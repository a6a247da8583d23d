/**
 * Words for scripts. The catalogue is Django's, loaded as a script of its own before any module; where there is none
 * (tests under node), the message itself is the answer.
 */

/** @param {string} message @returns {string} */
export function gettext(message) {
  return globalThis.django?.gettext?.(message) ?? message;
}

/** @param {string} one @param {string} many @param {number} count @returns {string} */
export function ngettext(one, many, count) {
  return globalThis.django?.ngettext?.(one, many, count) ?? (count === 1 ? one : many);
}

/**
 * Puts named values into a translated text: `fill("%(done)s of 9", { done: 3 })`.
 * @param {string} text @param {Record<string, unknown>} values @returns {string}
 */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The page's language. @returns {string} */
export function language() {
  return globalThis.document?.documentElement.lang || "en";
}
