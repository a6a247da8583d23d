/** What an upload still has to send, and how far it is. Pure. */

/** @typedef {{path: string, size: number, file?: File, state: "waiting"|"sending"|"sent"|"failed", loaded: number, error: string, begun: boolean, changed: boolean}} Item */

/** Rows of failed files that a page bears. */
const MOST_FAILED = 1000;
/** Files of fewer parts than this go in one piece: a cut costs less than the requests would. */
const WORTH_PARTS = 4;

/**
 * A path as the portal stores it: forward slashes, composed Hangul, no leading slash. @param {string} path
 */
export function cleanPath(path) {
  return path.normalize("NFC").replaceAll("\\", "/").replace(/^\/+/, "");
}

/** Files that systems leave behind and nobody means to upload. @param {string} path */
export function isJunk(path) {
  return /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX(\/|$)|\._[^/]*$)/.test(path);
}

/** Start and end of each part. @param {number} size @param {number} part @returns {[number, number][]} */
export function partsOf(size, part) {
  return Array.from({ length: Math.ceil(size / part) }, (_, number) => [number * part, Math.min(size, (number + 1) * part)]);
}

/** Whether a file is better sent in parts. @param {number} size @param {number} part bytes of one */
export function isInParts(size, part) {
  return size > WORTH_PARTS * part;
}

export class UploadPlan {
  constructor() {
    /** @type {Map<string, Item>} */
    this.items = new Map();
    /** @type {Item[]} the same, for `next` */
    this.order = [];
    this.at = 0;
  }

  /** @param {string} path @param {number} size @param {File} [file] @returns {Item|null} null: junk, or known already */
  add(path, size, file) {
    const clean = cleanPath(path);
    if (isJunk(clean) || this.items.has(clean)) return null;
    /** @type {Item} */
    const item = { path: clean, size, file, state: "waiting", loaded: 0, error: "", begun: false, changed: false };
    this.items.set(clean, item);
    this.order.push(item);
    return item;
  }

  /**
   * What the portal has already need not be sent again, nor parts of the files that have `begun`. What was changed `since`,
   * when its last bytes came in, is no longer what the portal has.
   * @param {{path: string, size: number}[]} files @param {{begun?: string[], since?: number}} [options] `since` in milliseconds
   */
  settle(files, { begun = [], since = Infinity } = {}) {
    for (const item of this.order) if (item.file?.lastModified > since) item.changed = true;
    for (const path of begun) if (this.items.has(path)) this.items.get(path).begun = true;
    for (const { path, size } of files) {
      const item = this.items.get(path);
      if (item && item.size === size && !item.changed) Object.assign(item, { state: "sent", loaded: size, error: "" });
    }
  }

  /** How many of the files that the portal has, whole or in part, are none of these. @param {Iterable<string>} paths */
  missing(paths) {
    return [...paths].filter((path) => !this.items.has(path)).length;
  }

  /** Failed files may be tried again, or the one. @param {string} [path] */
  retry(path) {
    for (const item of path === undefined ? this.order : [this.items.get(path)]) if (item?.state === "failed") this.#wait(item);
  }

  /** Everything is sent anew. */
  restart() {
    this.order.forEach((item) => this.#wait(item));
  }

  /** What was being sent waits again. */
  rest() {
    for (const item of this.order) if (item.state === "sending") this.#wait(item);
  }

  #wait(item) {
    Object.assign(item, { state: "waiting", loaded: 0, error: "" });
    this.at = 0;
  }

  /** @returns {Item|undefined} the next to be sent */
  next() {
    while (this.at < this.order.length && this.order[this.at].state !== "waiting") this.at += 1;
    return this.order[this.at];
  }

  /**
   * The files that have a row: those that failed before all others. Of more than `limit` only what is being sent or waits
   * follows. @param {number} limit @returns {{items: Item[], hidden: number}} `hidden`: further ones that failed
   */
  shown(limit) {
    const of = { failed: [], sending: [], waiting: [], sent: [] };
    for (const item of this.order) of[item.state].push(item);
    const few = this.order.length <= limit;
    const others = few ? this.order.filter((item) => item.state !== "failed") : [...of.sending, ...of.waiting.slice(0, limit)].slice(0, limit);
    return { items: [...of.failed.slice(0, MOST_FAILED), ...others], hidden: Math.max(0, of.failed.length - MOST_FAILED) };
  }

  /** What the files are called together: the folder that they lie in, or the one file's name; "" for several. */
  get name() {
    const [first = "", ...others] = this.items.keys();
    if (!others.length) return first;
    const folder = first.slice(0, first.indexOf("/") + 1);
    return folder && others.every((path) => path.startsWith(folder)) ? folder.slice(0, -1) : "";
  }

  /** @returns {{total: number, loaded: number, files: number, sent: number, failed: number, fraction: number|null, done: boolean}} */
  progress() {
    const files = this.order.length;
    let [total, loaded, sent, failed] = [0, 0, 0, 0];
    for (const item of this.order) {
      total += item.size;
      loaded += Math.min(item.loaded, item.size);
      sent += item.state === "sent" ? 1 : 0;
      failed += item.state === "failed" ? 1 : 0;
    }
    const fraction = total ? loaded / total : files ? sent / files : null;
    return { total, loaded, files, sent, failed, fraction, done: files > 0 && sent === files };
  }
}
