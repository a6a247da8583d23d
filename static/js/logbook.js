/**
 * Lines of a log in bounded memory. Bytes come in pieces that may end within a line; numbers and offsets of lines stay
 * those of the whole log when old lines are dropped. Pure.
 */
import { lastState, levelOf, parseAnsi, plainStyle } from "./ansi.js";

/** @typedef {{number: number, text: string, pieces: {text: string, css: string}[], level: string}} Line */

export class Logbook {
  /** @param {{limit?: number}} [options] most lines that are kept */
  constructor({ limit = 20_000 } = {}) {
    this.limit = limit;
    /** @type {Line[]} */
    this.lines = [];
    this.next = 1;
    this.rest = "";
    this.dropped = 0;
    /** The log did not begin with what was loaded: numbers count from there. */
    this.partial = false;
    this.style = plainStyle();
  }

  /**
   * @param {string} text the next piece
   * @returns {Line[]} the lines that it completed
   */
  push(text) {
    const parts = (this.rest + text).split("\n");
    this.rest = parts.pop();
    return this.#append(parts);
  }

  /** The log is complete: what is left is a line too. @returns {Line[]} */
  finish() {
    const rest = this.rest;
    this.rest = "";
    return rest ? this.#append([rest]) : [];
  }

  #append(parts) {
    const made = parts.map((raw) => {
      const pieces = parseAnsi(lastState(raw), this.style);
      const text = pieces.map((piece) => piece.text).join("");
      return { number: this.next++, text, pieces, level: levelOf(text) };
    });
    this.lines.push(...made.slice(-this.limit));
    const over = this.lines.length - this.limit;
    if (over > 0) this.lines.splice(0, over);
    this.dropped = this.lines.length ? this.lines[0].number - 1 : 0;
    return made;
  }
}

const RANK = { debug: 0, info: 1, warning: 2, error: 3 };

/** Whether a line passes the filter. @param {Line} line @param {string} level lowest level that is shown, "" for all */
export function passes(line, level) {
  return !level || RANK[line.level] >= RANK[level];
}
