/** What an upload still has to send, and how far it is. Pure. */

/** @typedef {{path: string, size: number, file?: File, state: "waiting"|"sending"|"sent"|"failed", loaded: number, error: string}} Item */

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

export class UploadPlan {
  constructor() {
    /** @type {Map<string, Item>} */
    this.items = new Map();
  }

  /** @param {string} path @param {number} size @param {File} [file] @returns {Item|null} null: junk, or known already */
  add(path, size, file) {
    const clean = cleanPath(path);
    if (isJunk(clean) || this.items.has(clean)) return null;
    /** @type {Item} */
    const item = { path: clean, size, file, state: "waiting", loaded: 0, error: "" };
    this.items.set(clean, item);
    return item;
  }

  /** What the portal has already need not be sent again. @param {{path: string, size: number}[]} files */
  settle(files) {
    for (const { path, size } of files) {
      const item = this.items.get(path);
      if (item && item.size === size) Object.assign(item, { state: "sent", loaded: size, error: "" });
    }
  }

  /** Failed files may be tried again. */
  retry() {
    for (const item of this.items.values()) if (item.state === "failed") Object.assign(item, { state: "waiting", loaded: 0, error: "" });
  }

  /** @returns {Item|undefined} the next to be sent */
  next() {
    for (const item of this.items.values()) if (item.state === "waiting") return item;
    return undefined;
  }

  /** @returns {{total: number, loaded: number, files: number, sent: number, failed: number, fraction: number|null, done: boolean}} */
  progress() {
    const all = [...this.items.values()];
    const sum = (pick) => all.reduce((whole, item) => whole + pick(item), 0);
    const total = sum((item) => item.size);
    const loaded = sum((item) => Math.min(item.loaded, item.size));
    const sent = all.filter((item) => item.state === "sent").length;
    const failed = all.filter((item) => item.state === "failed").length;
    const fraction = total ? loaded / total : all.length ? sent / all.length : null;
    return { total, loaded, files: all.length, sent, failed, fraction, done: all.length > 0 && sent === all.length };
  }
}
