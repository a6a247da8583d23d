/**
 * The upload that was begun before and takes files still: the notice of it, what this browser remembers of it, and that
 * only one window sends it. Used by upload.js.
 */
import { bytes, count } from "./format.js";
import { fill, gettext, ngettext } from "./i18n.js";

const TRIES = 10;

/**
 * Keeps an upload for this window until it is closed; false: another one is at it. A window that was reloaded gives its
 * hold up a moment later. @param {string} id @returns {Promise<boolean>}
 */
export async function claim(id) {
  if (!navigator.locks) return true;
  for (let attempt = 1; ; attempt += 1) {
    const held = await new Promise((resolve) => {
      navigator.locks.request(`upload:${id}`, { ifAvailable: true }, (lock) => {
        resolve(Boolean(lock));
        return lock ? new Promise(() => {}) : undefined;
      });
    });
    if (held || attempt === TRIES) return held;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What was chosen here, for a page that is loaded anew. A browser that keeps nothing costs a sentence. */
export class UploadNote {
  /** @param {string} url of the dataset's interface */
  constructor(url) {
    this.key = `upload:${url}`;
  }

  /** @param {string} id @returns {{name: string, files: number, total: number}|null} */
  of(id) {
    try {
      const note = JSON.parse(localStorage.getItem(this.key) || "null");
      return note?.id === id ? note : null;
    } catch {
      return null;
    }
  }

  /** @param {string} id @param {import("./upload-plan.js").UploadPlan} plan */
  keep(id, plan) {
    const { files, total } = plan.progress();
    try {
      localStorage.setItem(this.key, JSON.stringify({ id, name: plan.name, files, total }));
    } catch {
      // Full, or not allowed.
    }
  }

  drop() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // Not allowed.
    }
  }
}

/** The notice: [data-upload-open], with the id of the upload. */
export class OpenNotice {
  /** @param {HTMLElement|null} root @param {UploadNote} note @param {{goOn: () => void, giveUp: () => void}} acts */
  constructor(root, note, { goOn, giveUp }) {
    this.root = root;
    this.id = root?.dataset.uploadOpen ?? null;
    if (!root) return;
    this.note = note.of(this.id);
    this.words = root.querySelector("[data-upload-open-note]");
    root.querySelector("[data-upload-go-on]").addEventListener("click", goOn);
    root.querySelector("[data-upload-give-up]").addEventListener("click", giveUp);
    this.begin();
  }

  /** What was chosen when it was begun. */
  begin() {
    if (!this.root) return;
    if (!this.note) return this.#say("");
    const { name, files, total } = this.note;
    const words = name
      ? ngettext("It was begun with “%(name)s”: %(files)s file, %(size)s.", "It was begun with “%(name)s”: %(files)s files, %(size)s.", files)
      : ngettext("It was begun with %(files)s file, %(size)s.", "It was begun with %(files)s files, %(size)s.", files);
    this.#say(fill(words, { name, files: count(files), size: bytes(total) }));
  }

  /** Somebody has to say whether what was chosen is the same set. @param {number} number of files that were not chosen */
  ask(number) {
    const words = ngettext(
      "%(count)s file of the open upload is not among those that you chose. Choose it too, go on with all of them as one set, or give the open upload up to begin a new one.",
      "%(count)s files of the open upload are not among those that you chose. Choose them too, go on with all of them as one set, or give the open upload up to begin a new one.",
      number,
    );
    this.#say(fill(words, { count: count(number) }));
    this.root.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.id = null;
    if (this.root) this.root.hidden = true;
  }

  #say(words) {
    this.words.textContent = words;
    this.words.hidden = !words;
  }
}
