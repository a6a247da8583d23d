/**
 * The quick test. Root: [data-quick-test] of templates/evaluation/_panel.html with data-url (inference jobs over REST),
 * data-socket, data-samples (images of a dataset), data-max-files, data-max-file and data-max-total (bytes). Pictures go
 * out as one form, the job is followed over its socket, and its answer is drawn over the pictures.
 */
import { call, get, post, withQuery } from "./api.js";
import { classColor, layerOf, startBoxes } from "./boxes.js";
import { download, el, isTyping } from "./dom.js";
import { bytes, count, figure } from "./format.js";
import { fill, gettext, ngettext } from "./i18n.js";
import { LiveClient } from "./live.js";
import { isFinished, stageStates } from "./stages.js";

const STAGES = ["queued", "preparing", "predicting"];
const SAMPLES = 12;
const ROWS = 300;

/** Which boxes are seen. @param {{class: number, score: number}[]} boxes @param {number} threshold @param {Set<number>} hidden */
export function shownBoxes(boxes, threshold, hidden) {
  return boxes.filter((box) => box.score >= threshold && !hidden.has(box.class)).sort((one, other) => other.score - one.score);
}

/** What is wrong with a choice of files, in words; "" when nothing is. */
export function refusal(files, { maxFiles, maxFile, maxTotal }) {
  if (files.length > maxFiles) return fill(gettext("At most %(count)s pictures at once."), { count: maxFiles });
  const large = files.find((file) => file.size > maxFile);
  if (large) return fill(gettext("%(name)s is larger than %(limit)s."), { name: large.name, limit: bytes(maxFile) });
  if (files.reduce((sum, file) => sum + file.size, 0) > maxTotal) return fill(gettext("The pictures are larger than %(limit)s together."), { limit: bytes(maxTotal) });
  return "";
}

class QuickTest {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-quick-${name}]`);
    const { maxFiles, maxFile, maxTotal } = root.dataset;
    this.limits = { maxFiles: Number(maxFiles), maxFile: Number(maxFile), maxTotal: Number(maxTotal) };
    this.items = [];
    this.at = 0;
    this.hidden = new Set();
    this.job = null;
    this.client = null;
    this.addresses = [];
    this.run = 0;
    this.#listen();
    if (root.dataset.samples) this.#offerSamples();
  }

  get threshold() {
    return Number(this.part("threshold").value);
  }

  #listen() {
    const zone = this.part("drop");
    if (zone) {
      zone.addEventListener("dragover", (event) => {
        event.preventDefault();
        zone.classList.add("is-over");
      });
      zone.addEventListener("dragleave", (event) => zone.contains(event.relatedTarget) || zone.classList.remove("is-over"));
      zone.addEventListener("drop", (event) => {
        event.preventDefault();
        zone.classList.remove("is-over");
        this.send([...event.dataTransfer.files]);
      });
      const input = this.part("files");
      input.addEventListener("change", () => {
        this.send([...input.files]);
        input.value = "";
      });
    }
    this.root.addEventListener("change", (event) => {
      if (event.target === this.part("checkpoint")) this.chosen = event.target.value;
    });
    // A newer list that was asked for before the choice knows nothing of it.
    document.addEventListener("htmx:after:swap", () => {
      const list = this.root.isConnected ? this.part("checkpoint") : null;
      if (list && [...list.options].some((option) => option.value === this.chosen)) list.value = this.chosen;
    });
    this.part("stop").addEventListener("click", () => this.#stop());
    this.part("threshold").addEventListener("input", () => this.#draw());
    this.part("previous").addEventListener("click", () => this.go(this.at - 1));
    this.part("next").addEventListener("click", () => this.go(this.at + 1));
    this.part("download").addEventListener("click", () => this.#download());
    this.root.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-quick-open]") : null;
      if (button) this.open(button.dataset.quickOpen);
    });
    this.part("view").addEventListener("keydown", (event) => {
      if (isTyping(event.target) || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.go(this.at + step);
      if (event.target.matches("[data-quick-thumb]")) this.part("strip").children[this.at].focus();
    });
  }

  /** Whether this pane is the one that is looked at. */
  get isSeen() {
    return this.root.isConnected && this.root.offsetParent !== null;
  }

  // Sending

  /** @param {File[]} files */
  async send(files) {
    if (!files.length || !this.part("drop")) return;
    const run = this.#begin();
    const wrong = refusal(files, this.limits);
    if (wrong) return this.#fail({ message: wrong });
    this.#showPictures(files.map((file) => ({ name: file.name, src: this.#address(file), boxes: [], scores: [] })));
    this.#progress({ state: "draft", progress_text: gettext("Sending the pictures") });
    const form = new FormData();
    for (const file of files) form.append("files", file);
    const choice = this.part("checkpoint").selectedOptions[0];
    // "The best so far" is decided when the test starts: a training that goes on replaces its checkpoints.
    if (choice.dataset.training) form.append("training_job_id", choice.dataset.training);
    else form.append("checkpoint_id", choice.value);
    form.append("config", JSON.stringify(this.#settings()));
    try {
      const job = await call("POST", this.root.dataset.url, { body: form });
      if (run === this.run) this.#follow(job, run);
    } catch (error) {
      if (run === this.run) this.#fail(error);
    }
  }

  /** An earlier job, or one that still runs. @param {string} id */
  async open(id) {
    const run = this.#begin();
    try {
      const job = await get(`${this.root.dataset.url}/${id}`);
      if (run !== this.run) return;
      this.#showPictures(job.inputs.map((input) => ({ ...input, src: input.url, boxes: [], scores: [] })));
      if (isFinished(job.job.state)) this.#ended(job);
      else this.#follow(job, run);
    } catch (error) {
      if (run === this.run) this.#fail(error);
    }
  }

  #begin() {
    this.client?.stop();
    this.client = null;
    this.job = null;
    this.refused = false;
    this.hidden.clear();
    this.addresses.forEach((address) => URL.revokeObjectURL(address));
    this.addresses = [];
    for (const name of ["error", "progress", "tools", "table", "nothing", "stop"]) this.part(name).hidden = true;
    return ++this.run;
  }

  #address(file) {
    const address = URL.createObjectURL(file);
    this.addresses.push(address);
    return address;
  }

  #settings() {
    const found = {};
    for (const field of this.root.querySelectorAll("[data-quick-settings] [data-schema-field]")) {
      const input = field.querySelector("input, select");
      if (input.type === "checkbox") found[field.dataset.key] = input.checked;
      else if (input.value.trim() !== "") found[field.dataset.key] = input.type === "number" ? Number(input.value) : input.value;
    }
    return found;
  }

  async #offerSamples() {
    try {
      const { results } = await get(withQuery(this.root.dataset.samples, { split: "val", page_size: SAMPLES }));
      const list = this.part("sample-list");
      for (const image of results.filter((found) => found.is_sound !== false)) {
        const name = image.path.split("/").pop();
        const picture = el("img", { src: `${this.root.dataset.samples}/${image.id}/thumbnail?size=128`, alt: name, loading: "lazy" });
        const button = el("button", { type: "button", class: "quick-thumb", title: image.path }, picture);
        button.addEventListener("click", () => this.#sendSample(button, image, name));
        list.append(button);
      }
      this.part("samples").hidden = list.children.length === 0;
    } catch {
      // The dataset may be hidden from this person: then there is nothing to offer.
    }
  }

  async #sendSample(button, image, name) {
    button.disabled = true;
    try {
      const answer = await fetch(`${this.root.dataset.samples}/${image.id}/content`, { credentials: "same-origin" });
      if (!answer.ok) throw new Error(gettext("This picture could not be read."));
      await this.send([new File([await answer.blob()], name, { type: image.media_type })]);
    } catch (error) {
      this.#begin();
      this.#fail(error);
    } finally {
      button.disabled = false;
    }
  }

  // Following

  #follow(job, run) {
    this.job = job;
    this.#progress(job.job);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const url = `${this.root.dataset.url}/${job.id}`;
    const mine = (work) => (...given) => {
      // Another picture was sent, or htmx took the panel away.
      if (run === this.run && this.root.isConnected) work(...given);
      else client.stop();
    };
    const client = new LiveClient({
      connect: () => new WebSocket(`${scheme}//${location.host}${this.root.dataset.socket.replace("{id}", job.id)}`, ["modelyard.v1"]),
      fetchEvents: (after, limit) => get(withQuery(`${url}/events`, { after, limit })),
      onSnapshot: () => {},
      onEvents: () => {},
      onSummary: mine((summary) => this.#summary(summary, client, run)),
      onState: mine((state, { reason } = {}) => state === "refused" && this.#refused(reason, client)),
    });
    this.client = client;
    client.start();
  }

  #refused(reason, client) {
    client.stop();
    if (reason === "crowded") this.#fail({ message: gettext("You have too many live pages open."), hint: gettext("Close some of them and try again.") });
    else this.#fail({ message: gettext("This job is gone, or you may not see it.") });
  }

  async #summary(summary, client, run) {
    this.#progress(summary);
    if (!isFinished(summary.state)) return;
    client.stop();
    try {
      const job = await get(`${this.root.dataset.url}/${summary.id}`);
      if (run === this.run) this.#ended(job);
    } catch (error) {
      if (run === this.run) this.#fail(error);
    }
  }

  #progress(summary) {
    const { state, stage = "", progress = null, progress_text: text = "", waiting_for: waiting = null, capabilities = {} } = summary;
    this.part("progress").hidden = isFinished(state);
    const states = stageStates(STAGES, { state, stage });
    STAGES.forEach((name, index) => {
      const item = this.root.querySelector(`[data-quick-stage="${name}"]`);
      item.dataset.state = states[index];
      if (states[index] === "current") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    const bar = this.root.querySelector("[data-quick-progress] progress");
    if (progress === null) bar.removeAttribute("value");
    else bar.value = progress;
    this.root.querySelector("[data-quick-progress] [data-text]").textContent = waiting || text || "";
    this.root.querySelector("[data-quick-progress] [data-percent]").textContent = progress === null ? "" : `${Math.floor(progress * 100)}\u00a0%`;
    this.part("stop").hidden = !capabilities.stop;
  }

  async #stop() {
    this.part("stop").disabled = true;
    try {
      await post(`${this.root.dataset.url}/${this.job.id}/stop`, { grace_seconds: 5 });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.part("stop").disabled = false;
    }
  }

  #ended(job) {
    this.job = job;
    this.#progress(job.job);
    if (job.job.state !== "succeeded") {
      const { text, hint } = job.job.reason || {};
      return this.#fail({ message: text || job.job.state_label, hint });
    }
    if (job.result.file !== null) this.#tooLarge(job);
    job.result.predictions.forEach((prediction, index) => Object.assign(this.items[index], prediction));
    this.classes = job.result.classes;
    // Nothing weaker than this was asked for.
    const least = Number(job.config.conf) || 0;
    this.part("threshold").min = String(least);
    if (this.threshold < least) this.part("threshold").value = String(least);
    this.#offerClasses();
    this.part("tools").hidden = false;
    this.go(this.at);
    this.part("stage-area").focus({ preventScroll: true });
  }

  // The boxes are too many for a page: they are offered as the file that the trainer has written.
  #tooLarge(job) {
    this.#fail({ message: gettext("The answer is too large to be shown here.") });
    const link = el("a", { href: `/api/v1/inference-jobs/${job.id}/predictions`, text: fill(gettext("Download the predictions (%(size)s)"), { size: bytes(job.result.file) }) });
    this.part("error-list").replaceChildren(el("li", {}, link));
    this.part("error-list").hidden = false;
  }

  #fail({ message, hint = "", errors = {} }) {
    // What was not taken may be no picture at all: then it is no matter of the browser.
    this.refused = this.job === null;
    if (this.refused && this.items.length) this.part("name").textContent = this.items[this.at].name;
    this.part("progress").hidden = true;
    this.part("error").hidden = false;
    this.part("error-text").textContent = message;
    this.part("error-hint").textContent = hint;
    const lines = Object.values(errors).flat().filter((line) => line !== message);
    this.part("error-list").replaceChildren(...lines.map((line) => el("li", { text: line })));
    this.part("error-list").hidden = lines.length === 0;
  }

  // Showing

  #showPictures(items) {
    this.items = items;
    this.part("empty").hidden = true;
    this.part("view").hidden = false;
    const strip = this.part("strip");
    strip.hidden = items.length < 2;
    const thumbs = items.map((item, index) => {
      const button = el("button", { type: "button", class: "quick-thumb", title: item.name, data: { quickThumb: "" } }, el("img", { src: item.src, alt: item.name, loading: "lazy" }));
      button.addEventListener("click", () => this.go(index));
      return button;
    });
    strip.replaceChildren(...(items.length < 2 ? [] : thumbs));
    this.go(0);
    const main = this.root.querySelector(".quick-main");
    if (main.getBoundingClientRect().top > innerHeight / 2) main.scrollIntoView();
  }

  /** @param {number} index */
  go(index) {
    if (!this.items.length) return;
    this.at = Math.max(0, Math.min(this.items.length - 1, index));
    [...this.part("strip").children].forEach((thumb, place) => thumb.setAttribute("aria-current", String(place === this.at)));
    const item = this.items[this.at];
    const picture = el("img", { src: item.src, alt: item.name });
    picture.addEventListener("error", () => {
      picture.classList.add("is-unshown");
      if (!this.refused) this.part("name").textContent = fill(gettext("%(name)s (your browser cannot show this kind of picture)"), { name: item.name });
    });
    picture.addEventListener("load", () => (frame.style.aspectRatio = `${picture.naturalWidth} / ${picture.naturalHeight}`));
    const frame = el("div", { class: "boxes", data: { boxes: "[]", classes: "[]", width: item.width || "", height: item.height || "" } }, picture);
    if (item.width) frame.style.aspectRatio = `${item.width} / ${item.height}`;
    this.part("stage-area").replaceChildren(frame);
    startBoxes(this.part("stage-area"));
    this.part("name").textContent = item.name;
    this.part("position").textContent = this.items.length > 1 ? `${this.at + 1} / ${this.items.length}` : "";
    for (const [name, end] of [["previous", 0], ["next", this.items.length - 1]]) {
      this.part(name).hidden = this.items.length < 2;
      this.part(name).disabled = this.at === end;
    }
    this.#draw();
  }

  #draw() {
    const item = this.items[this.at];
    if (!item) return;
    this.part("threshold").nextElementSibling.textContent = this.threshold.toFixed(2);
    const done = Boolean(this.job?.result);
    const boxes = shownBoxes(item.boxes, this.threshold, this.hidden);
    const frame = this.part("stage-area").querySelector(".boxes");
    frame.dataset.boxes = JSON.stringify(boxes);
    frame.dataset.classes = JSON.stringify(this.classes || []);
    layerOf(frame)?.load();
    const found = fill(ngettext("%(count)s object", "%(count)s objects", boxes.length), { count: count(boxes.length) });
    this.part("count").textContent = done && !item.scores.length ? found : "";
    this.part("time").textContent = done && typeof item.milliseconds === "number" ? fill(gettext("%(count)s ms"), { count: figure(item.milliseconds, 3) }) : "";
    const rows = item.scores.length ? item.scores.map((chance) => this.#row(chance)) : boxes.slice(0, ROWS).map((box) => this.#row(box));
    this.part("rows").replaceChildren(...rows);
    this.part("table").hidden = !done || rows.length === 0;
    this.part("nothing").hidden = !done || rows.length > 0;
  }

  #row({ label, score, bbox, class: number }) {
    const name = el("td", {});
    if (number !== undefined) name.append(this.#swatch(number));
    name.append(label);
    const place = bbox ? bbox.map((value) => Math.round(value)).join(", ") : "–";
    return el("tr", {}, name, el("td", { class: "tabular", text: score.toFixed(3) }), el("td", { class: "tabular", text: place }));
  }

  #swatch(number) {
    const swatch = el("span", { class: "quick-swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = classColor(number);
    return swatch;
  }

  #offerClasses() {
    const buttons = this.classes.map(({ id, name }) => {
      const button = el("button", { type: "button", class: "btn btn-sm", "aria-pressed": "true" }, this.#swatch(id), name);
      button.addEventListener("click", () => {
        if (this.hidden.has(id)) this.hidden.delete(id);
        else this.hidden.add(id);
        button.setAttribute("aria-pressed", String(!this.hidden.has(id)));
        this.#draw();
      });
      return button;
    });
    this.part("classes").replaceChildren(...(buttons.length > 1 ? buttons : []));
  }

  #download() {
    const { id, name, checkpoint_id, training_job_id, trainer, config, result } = this.job;
    const text = JSON.stringify({ id, name, checkpoint_id, training_job_id, trainer, config, ...result }, null, 2);
    download(`quick-test-${id}.json`, new Blob([text], { type: "application/json" }));
  }
}

const known = new WeakMap();

function start() {
  for (const root of document.querySelectorAll("[data-quick-test]")) {
    if (!known.has(root)) known.set(root, new QuickTest(root));
  }
}

if (typeof document !== "undefined") {
  start();
  document.addEventListener("content:change", start);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    const root = [...document.querySelectorAll("[data-quick-test]")].find((found) => known.get(found)?.isSeen);
    if (root) known.get(root).send(files);
  });
}
