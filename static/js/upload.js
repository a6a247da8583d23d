/**
 * Files, folders and ZIPs by drag and drop or picker. Root: components/dropzone.html ([data-upload][data-url]). It speaks
 * the uploads interface of docs/architecture/interface.md: start, put files side by side, ask what has arrived, complete.
 * On completion the root dispatches `upload:done` with the answer, or goes to data-done-url.
 */
import { ApiError, call, csrfToken, get, post } from "./api.js";
import { isWorth, sendDirect, StoreUnreachable } from "./direct.js";
import { el, throttle } from "./dom.js";
import { bytes, count } from "./format.js";
import { fill, gettext } from "./i18n.js";
import { UploadPlan } from "./upload-plan.js";

const AT_ONCE = 4;
const TRIES = 4;
const LISTED = 200;

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

/** One file by XMLHttpRequest, the only way to see how much has left. */
function put(url, file, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () => {
      if (request.status < 300) return resolve();
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // A proxy's page; the status says enough.
      }
      reject(new ApiError(request.status, body));
    };
    request.onerror = () => reject(new ApiError(0, {}));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

export class Upload {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-upload-${name}]`);
    this.zone = root.querySelector("[data-dropzone]");
    this.plan = new UploadPlan();
    this.rows = new Map();
    this.id = null;
    this.running = false;
    // Straight to the store: digests need a page that came safely.
    this.mayDirect = "direct" in root.dataset && isSecureContext;
    this.direct = false;
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
    this.part("retry").addEventListener("click", () => {
      this.plan.retry();
      this.run();
    });
    this.part("cancel").addEventListener("click", () => this.cancel());
    addEventListener("beforeunload", (event) => this.running && event.preventDefault());
  }

  /** @param {[string, File][]} files */
  add(files) {
    for (const [path, file] of files) {
      const item = this.plan.add(path, file.size, file);
      if (item && this.rows.size < LISTED) this.#addRow(item);
    }
    this.part("status").hidden = this.plan.items.size === 0;
    if (this.plan.next()) this.run();
  }

  #addRow(item) {
    const bar = el("progress", { class: "meter", max: 1, value: 0, "aria-label": item.path });
    const size = el("span", { class: "text-end", text: bytes(item.size) });
    const row = el("li", {}, el("span", { class: "name", title: item.path, text: item.path }), bar, size);
    this.rows.set(item.path, { row, bar });
    this.part("list").append(row);
  }

  async run() {
    if (this.running) return;
    this.running = true;
    this.abort = new AbortController();
    this.part("retry").hidden = this.part("error").hidden = true;
    let retry = false;
    try {
      if (this.id === null) await this.#start();
      else this.plan.settle((await get(`${this.root.dataset.url}/uploads/${this.id}`, { signal: this.abort.signal })).files);
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.#worker()));
      if (this.plan.progress().done) await this.#complete();
    } catch (error) {
      retry = error instanceof StoreUnreachable;
      if (retry) await this.#throughPortal();
      else if (error.name !== "AbortError") this.#say(error.message, error.hint);
    } finally {
      this.running = false;
      this.part("retry").hidden = this.plan.progress().done || this.abort.signal.aborted;
      this.#paint();
    }
    if (retry) await this.run();
  }

  async #start() {
    this.direct = this.mayDirect && isWorth([...this.plan.items.values()].map((item) => item.size));
    this.id = (await post(`${this.root.dataset.url}/uploads`, this.direct ? { direct: true } : {}, { signal: this.abort.signal })).id;
  }

  /** The store does not let this page in: what was begun there is given up, and everything goes the other way. */
  async #throughPortal() {
    this.abort.abort();
    this.mayDirect = false;
    await call("DELETE", `${this.root.dataset.url}/uploads/${this.id}`).catch(() => null);
    this.id = null;
    for (const item of this.plan.items.values()) Object.assign(item, { state: "waiting", loaded: 0, error: "" });
  }

  async #worker() {
    for (let item = this.plan.next(); item; item = this.plan.next()) {
      item.state = "sending";
      await this.#send(item);
      this.paint();
    }
  }

  async #send(item) {
    const upload = `${this.root.dataset.url}/uploads/${this.id}`;
    const onProgress = (loaded) => {
      item.loaded = loaded;
      this.paint();
    };
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (this.direct) await sendDirect(upload, item, { signal: this.abort.signal, onProgress });
        else await put(`${upload}/files?path=${encodeURIComponent(item.path)}`, item.file, { signal: this.abort.signal, onProgress });
        Object.assign(item, { state: "sent", loaded: item.size, error: "" });
        return;
      } catch (error) {
        if (error.name === "AbortError" || error instanceof StoreUnreachable) throw error;
        item.loaded = 0;
        if (!(error instanceof ApiError) || !error.passing || attempt === TRIES) {
          Object.assign(item, { state: "failed", error: [error.message, error.hint].filter(Boolean).join(" ") });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt * (0.5 + Math.random() / 2)));
        if (this.abort.signal.aborted) throw new DOMException("", "AbortError");
      }
    }
  }

  async #complete() {
    const fields = Object.fromEntries([...this.root.querySelectorAll("select[name]:enabled")].map((field) => [field.name, field.value]));
    const answer = await post(`${this.root.dataset.url}/uploads/${this.id}/${this.root.dataset.complete || "complete"}`, fields, { signal: this.abort.signal });
    this.running = false;
    this.root.dispatchEvent(new CustomEvent("upload:done", { bubbles: true, detail: { id: this.id, answer } }));
    if (this.root.dataset.doneUrl) location.assign(this.root.dataset.doneUrl.replace("{id}", this.id));
  }

  cancel() {
    this.abort.abort();
    this.plan = new UploadPlan();
    this.rows.clear();
    this.part("list").replaceChildren();
    this.part("status").hidden = this.part("error").hidden = true;
    this.id = null;
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
    if (this.running || done || failed) {
      const words = fill(gettext("%(sent)s of %(files)s files, %(loaded)s of %(total)s"), { sent: count(sent), files: count(files), loaded: bytes(loaded), total: bytes(total) });
      const more = fill(gettext("%(count)s failed"), { count: count(failed) });
      this.root.querySelector("[data-text]").textContent = failed ? `${words} · ${more}` : words;
    }
    for (const item of this.plan.items.values()) {
      const shown = this.rows.get(item.path);
      if (!shown) continue;
      shown.bar.value = item.size ? item.loaded / item.size : item.state === "sent" ? 1 : 0;
      let error = shown.row.querySelector(".error");
      if (item.error && !error) shown.row.append((error = el("span", { class: "error" })));
      if (error) error.textContent = item.error;
      if (item.state === "sent" && this.plan.items.size > LISTED) shown.row.remove();
    }
    if (done) this.part("words").textContent = gettext("Everything has arrived.");
  }
}

document.querySelectorAll("[data-upload]").forEach((root) => new Upload(root));
