/**
 * Files, folders and ZIPs by drag and drop or picker. Root: components/dropzone.html ([data-upload][data-url]). It speaks
 * the uploads interface of docs/architecture/interface.md: start or go on, put files side by side, ask what has arrived,
 * complete. On completion the root dispatches `upload:done` with the answer, or goes to data-done-url.
 */
import { ApiError, call, get, post } from "./api.js";
import { ask } from "./confirm.js";
import { isWorth, sendDirect, StoreUnreachable } from "./direct.js";
import { throttle } from "./dom.js";
import { bytes, count } from "./format.js";
import { fill, gettext } from "./i18n.js";
import { sendInParts } from "./parts.js";
import { canDigest, pause, put } from "./sending.js";
import { claim, OpenNotice, UploadNote } from "./upload-open.js";
import { isInParts, UploadPlan } from "./upload-plan.js";
import { UploadRows } from "./upload-rows.js";

const AT_ONCE = 4;
const TRIES = 4;

/** All files under what was dropped, with their paths. @param {DataTransfer} transfer @returns {Promise<[string, File][]>} */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => [file.name, file]);
  const found = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push([entry.fullPath, file]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!part.length) return;
      for (const child of part) await walk(child);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

/** No further file would be taken: the sign-in has ended, the right is gone, or the upload is closed. @param {unknown} error */
const endsAll = (error) => error instanceof ApiError && ([401, 403, 404].includes(error.status) || error.code === "upload_state");

export class Upload {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.url = `${root.dataset.url}/uploads`;
    this.part = (name) => root.querySelector(`[data-upload-${name}]`);
    this.zone = root.querySelector("[data-dropzone]");
    this.plan = new UploadPlan();
    this.rows = new UploadRows(this.part("list"), (path) => this.#retry(path));
    this.note = new UploadNote(root.dataset.url);
    this.open = new OpenNotice(this.part("open"), this.note, { goOn: () => this.#goOn(), giveUp: () => this.#giveUpOpen() });
    this.id = null;
    /** @type {Promise<void>|null} while something is being sent */
    this.task = null;
    // Somebody has said that what was chosen belongs to the open upload; that nothing more is to be sent.
    this.together = this.stopped = false;
    this.mayDirect = "direct" in root.dataset && canDigest();
    this.partBytes = canDigest() ? Number(root.dataset.partBytes || 0) : 0;
    this.direct = false;
    this.sending = 0;
    /** @type {(() => void)[]} one of each worker that has nothing to do */
    this.idle = [];
    this.abort = new AbortController();
    this.paint = throttle(() => this.#paint(), 150);
    this.#listen();
  }

  #listen() {
    let depth = 0;
    const over = (change) => {
      depth = Math.max(0, depth + change);
      this.zone.classList.toggle("is-over", depth > 0);
    };
    this.zone.addEventListener("dragenter", () => over(1));
    this.zone.addEventListener("dragleave", () => over(-1));
    this.zone.addEventListener("dragover", (event) => event.preventDefault());
    this.zone.addEventListener("drop", async (event) => {
      event.preventDefault();
      over(-depth);
      this.add(await filesOf(event.dataTransfer));
    });
    for (const input of this.root.querySelectorAll("[data-upload-files]")) {
      const take = () => {
        this.add([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
        input.value = "";
      };
      input.addEventListener("change", take);
      // Somebody may be faster than this script.
      if (input.files.length) take();
    }
    this.part("retry").addEventListener("click", () => this.#retry());
    this.part("cancel").addEventListener("click", () => this.cancel());
    addEventListener("beforeunload", (event) => this.task && event.preventDefault());
  }

  /** @param {[string, File][]} files */
  add(files) {
    for (const [path, file] of files) this.plan.add(path, file.size, file);
    this.part("status").hidden = this.plan.items.size === 0;
    this.#paint();
    if (this.id !== null) this.note.keep(this.id, this.plan);
    if (this.plan.next()) this.run();
  }

  /** @param {string} [path] one file; all that failed without it */
  #retry(path) {
    this.plan.retry(path);
    this.#paint();
    this.#tell();
    this.run();
  }

  /** @returns {Promise<void>} when everything was sent, or nothing more can be */
  run() {
    this.task ??= this.#run().finally(() => {
      this.task = null;
      this.#paint();
    });
    return this.task;
  }

  async #run() {
    if (this.stopped) return;
    this.abort = new AbortController();
    this.part("retry").hidden = this.part("error").hidden = true;
    try {
      // Once more for what is tried again while the last file is on its way.
      do {
        if (!(await this.#isOpen())) return;
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.#worker()));
      } while (this.plan.next());
      if (this.plan.progress().done) return await this.#complete();
    } catch (error) {
      if (error instanceof StoreUnreachable) return await this.#throughPortal();
      if (error.name !== "AbortError") this.#say(error.message, error.hint);
      this.#halt();
      this.plan.rest();
    }
    this.part("retry").hidden = this.plan.items.size === 0;
  }

  /** Has an upload that takes files. False: nothing is to be sent now. */
  async #isOpen() {
    if (this.id !== null) {
      const found = await this.#found(this.id);
      if (found?.state === "receiving") {
        this.plan.settle(found.files);
        return true;
      }
      // Completed by a call whose answer was lost; or given up meanwhile, and everything is sent anew.
      if (found && found.state !== "cancelled" && this.plan.progress().done) return this.#leave(found);
      this.id = null;
      this.plan.restart();
    }
    if (this.open.id !== null && !(await this.#goesOn())) return false;
    if (this.id === null) await this.#start();
    return true;
  }

  /** @returns {Promise<any>} null: there is no such upload any more */
  async #found(id) {
    try {
      return await get(`${this.url}/${id}`, { signal: this.abort.signal });
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** Goes on with the open upload, where it takes files still. False: somebody has to say first whether this is its set. */
  async #goesOn() {
    const found = await this.#found(this.open.id);
    if (found?.state === "receiving" && (await claim(found.id))) {
      const missing = this.plan.missing([...found.files.map(({ path }) => path), ...found.begun]);
      if (missing && !this.together) {
        this.open.ask(missing);
        return false;
      }
      this.direct = found.source === "direct";
      if (this.direct && !this.mayDirect) await call("DELETE", `${this.url}/${found.id}`);
      else this.id = found.id;
      if (this.id !== null) {
        this.plan.settle(found.files, { begun: found.begun, since: Date.parse(found.updated_at) });
        this.note.keep(this.id, this.plan);
        this.paint();
      }
    }
    this.open.close();
    return true;
  }

  /** Not broken off: what was begun has an id by which it can be given up. */
  async #start() {
    this.direct = this.mayDirect && isWorth([...this.plan.items.values()].map((item) => item.size));
    this.id = (await post(this.url, this.direct ? { direct: true } : {})).id;
    this.note.keep(this.id, this.plan);
    await claim(this.id);
    if (this.abort.signal.aborted) throw new DOMException("", "AbortError");
  }

  /** The store does not let this page in: what was begun there is given up, and everything goes the other way. */
  async #throughPortal() {
    this.#halt();
    this.mayDirect = false;
    await call("DELETE", `${this.url}/${this.id}`).catch(() => null);
    this.id = null;
    this.plan.restart();
    await this.#run();
  }

  /** Sends one file after the other. While others are on their way it waits for one that is to be tried again. */
  async #worker() {
    while (!this.abort.signal.aborted) {
      const item = this.plan.next();
      if (!item && !this.sending) return;
      if (!item) {
        await new Promise((resolve) => this.idle.push(resolve));
        continue;
      }
      item.state = "sending";
      this.sending += 1;
      try {
        await this.#send(item);
      } finally {
        this.sending -= 1;
        this.#tell();
      }
      this.paint();
    }
  }

  #halt() {
    this.abort.abort();
    this.#tell();
  }

  /** Has idle workers look again. */
  #tell() {
    for (const resolve of this.idle.splice(0)) resolve();
  }

  async #send(item) {
    const options = {
      signal: this.abort.signal,
      onProgress: (loaded) => {
        item.loaded = loaded;
        this.paint();
      },
    };
    try {
      await this.#sendOnce(`${this.url}/${this.id}`, item, options);
      Object.assign(item, { state: "sent", loaded: item.size, error: "" });
    } catch (error) {
      if (error.name === "AbortError" || error instanceof StoreUnreachable || endsAll(error)) throw error;
      Object.assign(item, { state: "failed", loaded: 0, error: [error.message, error.hint].filter(Boolean).join(" ") });
    }
  }

  /** Large files have their own ways to try again. */
  async #sendOnce(upload, item, options) {
    if (this.direct) return sendDirect(upload, item, options);
    if (this.partBytes && (item.begun || isInParts(item.size, this.partBytes))) return sendInParts(upload, item, options);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await put(`${upload}/files?path=${encodeURIComponent(item.path)}`, item.file, options);
      } catch (error) {
        item.loaded = 0;
        if (!(error instanceof ApiError) || !error.passing || attempt === TRIES) throw error;
        await pause(attempt, options.signal);
      }
    }
  }

  async #complete() {
    const fields = Object.fromEntries([...this.root.querySelectorAll("select[name]:enabled")].map((field) => [field.name, field.value]));
    this.#leave(await post(`${this.url}/${this.id}/${this.root.dataset.complete || "complete"}`, fields, { signal: this.abort.signal }));
  }

  /** @returns {false} */
  #leave(answer) {
    this.task = null;
    this.note.drop();
    this.root.dispatchEvent(new CustomEvent("upload:done", { bubbles: true, detail: { id: this.id, answer } }));
    if (this.root.dataset.doneUrl) location.assign(this.root.dataset.doneUrl.replace("{id}", this.id));
    return false;
  }

  /** Gives up what is being sent, there too: what has arrived counts against the quota. */
  async cancel() {
    if ((this.id !== null || this.task) && !(await this.#isMeant())) return;
    this.stopped = true;
    this.#halt();
    await this.task;
    this.stopped = false;
    if (this.id !== null && !(await this.#remove(this.id))) return;
    this.id = null;
    this.together = false;
    this.plan = new UploadPlan();
    this.part("status").hidden = this.part("error").hidden = true;
    this.open.begin();
    this.#paint();
  }

  /** What was chosen meanwhile begins an upload of its own. */
  async #giveUpOpen() {
    if (!(await this.#isMeant()) || this.open.id === null || !(await this.#remove(this.open.id))) return;
    this.open.close();
    if (this.plan.next()) this.run();
  }

  #isMeant() {
    return ask(gettext("Give this upload up? Its files are removed."), { label: gettext("Give up"), danger: true });
  }

  /** The files again, by the picker that they came from; with some chosen, all of them are one set. */
  #goOn() {
    this.together = this.plan.items.size > 0;
    if (this.together) this.run();
    else this.root.querySelector(`[data-upload-files]${this.open.note?.files > 1 ? "[webkitdirectory]" : ""}`)?.click();
  }

  /** @returns {Promise<boolean>} whether the portal has nothing of it any more */
  async #remove(id) {
    try {
      await call("DELETE", `${this.url}/${id}`);
    } catch (error) {
      if (error.status !== 404) {
        this.#say(error.message, error.hint);
        return false;
      }
    }
    this.note.drop();
    return true;
  }

  #say(text, hint = "") {
    this.root.querySelector("[data-text]").textContent = "";
    this.part("error-text").textContent = text;
    this.part("error-hint").textContent = hint;
    this.part("error").hidden = false;
  }

  #paint() {
    const { total, loaded, files, sent, failed, fraction, done } = this.plan.progress();
    const bar = this.root.querySelector("[data-upload-status] progress");
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    this.root.querySelector("[data-percent]").textContent = fraction === null ? "" : `${Math.floor(fraction * 100)}\u00a0%`;
    if (this.task || done || failed) {
      const words = fill(gettext("%(sent)s of %(files)s files, %(loaded)s of %(total)s"), { sent: count(sent), files: count(files), loaded: bytes(loaded), total: bytes(total) });
      const more = fill(gettext("%(count)s failed"), { count: count(failed) });
      this.root.querySelector("[data-text]").textContent = failed ? `${words} · ${more}` : words;
    }
    this.rows.paint(this.plan);
    if (done) this.part("words").textContent = gettext("Everything has arrived.");
  }
}

document.querySelectorAll("[data-upload]").forEach((root) => new Upload(root));
