/** Terminal output as pieces of text with classes. Pure. Colours and weight are kept, every other sequence is dropped. */

// Sequences that end in a letter (CSI), titles and links (OSC), and the two-character ones.
const SEQUENCE = /\x1b(?:\[([0-9;?]*)([A-Za-z])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g; // eslint-disable-line no-control-regex

/** @typedef {{bold: boolean, dim: boolean, italic: boolean, underline: boolean, color: string}} Style */

/** @returns {Style} */
export function plainStyle() {
  return { bold: false, dim: false, italic: false, underline: false, color: "" };
}

function applyCodes(style, codes) {
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) Object.assign(style, plainStyle());
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 39) style.color = "";
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) style.color = String(code);
    else if (code === 38 || code === 48) at += codes[at + 1] === 5 ? 2 : codes[at + 1] === 2 ? 4 : 0; // not in our palette
  }
}

function classOf(style) {
  const names = [];
  if (style.bold) names.push("ansi-bold");
  if (style.dim) names.push("ansi-dim");
  if (style.italic) names.push("ansi-italic");
  if (style.underline) names.push("ansi-underline");
  if (style.color) names.push(`ansi-${style.color}`);
  return names.join(" ");
}

/**
 * @param {string} line
 * @param {Style} [style] carried on from the line before; changed in place
 * @returns {{text: string, css: string}[]}
 */
export function parseAnsi(line, style = plainStyle()) {
  const pieces = [];
  let last = 0;
  const push = (text) => text && pieces.push({ text, css: classOf(style) });
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(last, match.index));
    last = match.index + match[0].length;
    if (match[2] === "m") applyCodes(style, (match[1] || "0").split(";").map(Number));
  }
  push(line.slice(last));
  return pieces;
}

/** A line as it stands after carriage returns: progress bars keep their last state only. @param {string} line */
export function lastState(line) {
  const parts = line.replace(/\r+$/, "").split("\r");
  return parts.at(-1);
}

/** The level that a line speaks at, guessed from its words. @param {string} text without escapes */
export function levelOf(text) {
  if (/\b(error|exception|traceback|fatal|critical)\b/i.test(text)) return "error";
  if (/\bwarn(ing)?\b/i.test(text)) return "warning";
  if (/\bdebug\b/i.test(text)) return "debug";
  return "info";
}
