/**
 * The live page of a job. Root: [data-monitor] with data-socket, data-events, data-metrics, data-language; the parts and
 * their attributes are those of templates/training/monitor.html. The page is drawn by the server; everything here keeps
 * it current, and a reload at any moment shows the same.
 */
import { ApiError, call, get, withQuery } from "./api.js";
import { LineChart } from "./charts/line.js";
import { askFor } from "./confirm.js";
import { el, icon, throttle } from "./dom.js";
import { clock, duration } from "./format.js";
import { fill, gettext, language } from "./i18n.js";
import { LiveClient } from "./live.js";
import { LogViewer } from "./logs.js";
import { MetricStore, TIME, toSeconds } from "./metrics.js";
import { isFinished, stageStates } from "./stages.js";
import { toast } from "./toasts.js";

const POINTS = 1000;
const MOST_POINTS = 6000; // a series that grew beyond is loaded anew, thinned by the server
const NAMES_AT_ONCE = 20;
const MOST_QUESTIONS = 3; // for a series that the portal does not know
const ASK_AGAIN_AFTER = 5000;
const SETTINGS = "monitor.charts";

const PILL = {
  connecting: () => gettext("Connecting"),
  live: () => gettext("Live"),
  stale: () => gettext("Stale"),
  reconnecting: () => gettext("Reconnecting"),
  refused: () => gettext("Not connected"),
  ended: () => gettext("Ended"),
};
const REFUSED = {
  signed_out: () => gettext("You are signed out. Sign in again to go on watching."),
  withdrawn: () => gettext("You may no longer see this job."),
  gone: () => gettext("This job is gone, or you may not see it."),
  crowded: () => gettext("You have too many live pages open. Close some of them: this one tries again every minute."),
};
const GROUPS = {
  loss: () => gettext("Loss"),
  map: () => "mAP",
  ap50: () => gettext("AP50 by class"),
  "ap50-95": () => gettext("AP50-95 by class"),
  accuracy: () => gettext("Accuracy"),
  "box loss": () => gettext("Box loss"),
  "class loss": () => gettext("Class loss"),
  "distribution loss": () => gettext("Distribution loss"),
  "edge loss": () => gettext("Edge loss"),
  "losses of batches": () => gettext("Losses of batches"),
  "learning rate": () => gettext("Learning rate"),
  "precision and recall": () => gettext("Precision and recall"),
  time: () => gettext("Time"),
  utilisation: () => gettext("Utilisation, %"),
  memory: () => gettext("Memory, MB"),
};

/** The names in parts that one request may ask for, each with its axis. @param {string[]} names @param {string} x */
function parts(names, x) {
  return Array.from({ length: Math.ceil(names.length / NAMES_AT_ONCE) }, (_, at) => [x, names.slice(at * NAMES_AT_ONCE, (at + 1) * NAMES_AT_ONCE)]);
}

/** The name of a group as a title. @param {string} name */
function sentence(name) {
  return name.charAt(0).toLocaleUpperCase(language()) + name.slice(1);
}

function savedSettings() {
  const plain = { axis: "step", log: false, smoothing: 0, clip: true };
  try {
    return { ...plain, ...JSON.parse(localStorage.getItem(SETTINGS) || "{}") };
  } catch {
    return plain;
  }
}

class Monitor {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-${name}]`);
    this.parts = (name) => [...root.querySelectorAll(`[data-${name}]`)];
    this.summary = null;
    this.running = this.part("elapsed-label")?.textContent || "";
    this.store = new MetricStore();
    /** @type {Map<string, {chart: LineChart, card: HTMLElement}>} */
    this.charts = new Map();
    this.dirty = new Set();
    this.settings = savedSettings();
    this.paint = throttle(() => this.#paint(), 250);
    this.learn = throttle(() => this.#loadSeries(), 500);
    const log = root.querySelector("[data-log]");
    this.log = log ? new LogViewer(log) : null;
    this.#listen();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.client = new LiveClient({
      connect: () => new WebSocket(`${scheme}//${location.host}${root.dataset.socket}`, ["modelyard.v1"]),
      fetchEvents: (after, limit) => get(withQuery(root.dataset.events, { after, limit })),
      onSnapshot: () => this.#loadSeries(),
      onEvents: (events) => this.#events(events),
      onSummary: (summary) => this.#show(summary),
      onState: (state, detail) => this.#pill(state, detail),
    });
    this.client.start();
    addEventListener("online", () => this.client.wake());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.client.wake());
    addEventListener("pagehide", () => this.client.stop());
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  // What the page says

  #pill(state, { reason = "" } = {}) {
    const ended = state === "live" && this.summary && isFinished(this.summary.state);
    const draft = this.summary?.state === "draft";
    const pill = this.part("live-pill");
    if (pill) {
      pill.hidden = Boolean(ended || draft); // the state of the job says it
      pill.dataset.state = ended ? "ended" : state;
      pill.textContent = PILL[ended ? "ended" : state]();
      pill.title = fill(gettext("Last message at %(time)s"), { time: clock(this.client.heard / 1000) });
    }
    if (state === "refused") toast((REFUSED[reason] || PILL.refused)(), "error");
  }

  #show(summary) {
    const before = this.summary;
    this.summary = summary;
    const badge = this.part("badge");
    if (badge) {
      badge.textContent = summary.state_label;
      badge.dataset.state = summary.state;
      badge.className = `status-badge tone-${summary.state_color || "secondary"}${isFinished(summary.state) || summary.state === "draft" ? "" : " is-live"}`;
    }
    this.#progress(summary);
    const stages = this.parts("stage");
    const states = stageStates(stages.map((item) => item.dataset.stage), summary);
    stages.forEach((item, index) => {
      item.dataset.state = states[index];
      if (states[index] === "current") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    this.#reason(summary);
    for (const item of this.parts("attempt")) item.textContent = summary.attempt_no || "–";
    for (const item of this.parts("attempt-part")) item.hidden = !summary.attempt_no;
    this.#elapsed();
    for (const button of this.parts("action")) button.hidden = !summary.capabilities?.[button.dataset.action];
    for (const button of this.parts("refused")) button.hidden = !button.dataset.states.split(" ").includes(summary.state);
    document.title = document.title.replace(/^(\d+\u00a0?% · )?/, summary.progress !== null && !isFinished(summary.state) ? `${Math.floor(summary.progress * 100)}% · ` : "");
    if (before?.state !== summary.state) {
      this.log?.setActive(!isFinished(summary.state));
      this.#pill(this.client.state);
      document.dispatchEvent(new CustomEvent("job:state", { detail: summary }));
    }
  }

  #progress({ state, progress, progress_text: text, eta, waiting_for: waiting }) {
    const root = this.part("progress");
    if (!root) return;
    const bar = root.querySelector("progress");
    if (progress === null || progress === undefined) {
      if (isFinished(state) || state === "draft" || state === "queued") bar.value = 0;
      else bar.removeAttribute("value");
    } else bar.value = progress;
    root.querySelector("[data-percent]").textContent = progress === null || progress === undefined ? "" : `${Math.floor(progress * 100)}\u00a0%`;
    root.querySelector("[data-text]").textContent = waiting || text || "";
    root.querySelector("[data-eta]").textContent =
      eta && !isFinished(state) ? fill(gettext("%(low)s to %(high)s left"), { low: duration(eta.low_seconds), high: duration(eta.high_seconds) }) : "";
  }

  #reason({ reason, state }) {
    const root = this.part("reason");
    if (!root) return;
    root.hidden = !reason?.text;
    if (!reason?.text) return;
    root.className = `reason tone-${{ failed: "red", errored: "orange", unreachable: "yellow", succeeded: "green" }[state] || "blue"}`;
    root.querySelector("[data-reason-text]").textContent = reason.text;
    root.querySelector("[data-reason-hint]").textContent = reason.hint || "";
  }

  #elapsed() {
    const root = this.part("elapsed");
    if (!root || !this.summary?.started_at) return;
    const end = this.summary.finished_at ? Date.parse(this.summary.finished_at) : Date.now();
    root.textContent = duration((end - Date.parse(this.summary.started_at)) / 1000);
    for (const item of this.parts("elapsed-part")) item.hidden = false;
    const label = this.part("elapsed-label");
    if (label && this.summary.finished_at) label.textContent = label.dataset.ended;
    else if (label) label.textContent = this.running;
  }

  #warn(event) {
    const list = this.part("warnings");
    if (!list) return;
    list.closest("[data-warnings-panel]")?.removeAttribute("hidden");
    list.prepend(el("li", { class: "mb-1" }, icon("alert-triangle", "icon-sm me-1"), `${clock(toSeconds(event.time))} ${event.data.message || event.data.code}`));
    while (list.children.length > 100) list.lastElementChild.remove();
  }

  // Events

  #events(events) {
    for (const event of events) {
      if (event.type === "metrics") {
        const { changed, unknown } = this.store.apply(event);
        changed.forEach((name) => this.dirty.add(name));
        if ([...unknown].some((name) => this.store.series.get(name).asked < MOST_QUESTIONS)) this.learn();
      } else if (event.type === "warning") this.#warn(event);
      else if (event.type === "checkpoint" || event.type === "artifact") document.dispatchEvent(new CustomEvent(`job:${event.type}`, { detail: event }));
    }
    if (this.dirty.size) this.paint();
  }

  /** The series that there are, and the points of those that are new here. */
  async #loadSeries() {
    try {
      const { series } = await get(this.root.dataset.metrics);
      const wanted = series.filter((info) => !this.store.series.get(info.name)?.loaded).map((info) => info.name);
      series.forEach((info) => this.store.describe(info));
      for (const known of this.store.series.values()) if (!known.described) known.asked += 1;
      await this.#loadPoints(wanted);
    } catch (error) {
      if (this.client.cursor.last === null || !(error instanceof ApiError)) throw error;
      if (this.client.state !== "refused") setTimeout(this.learn, ASK_AGAIN_AFTER);
    }
    this.parts("chart-skeleton").forEach((skeleton) => skeleton.remove());
    this.#paint();
  }

  /** What the machine used is asked for over time: its steps begin anew with every attempt. */
  async #loadPoints(names) {
    const system = names.filter((name) => this.store.series.get(name)?.isSystem);
    const others = names.filter((name) => !system.includes(name));
    for (const [x, part] of [...parts(others, "step"), ...parts(system, "time")]) {
      const { series } = await get(withQuery(this.root.dataset.metrics, { name: part.join(","), x, points: POINTS }));
      for (const info of series) {
        const target = this.store.declare({ name: info.name });
        // What came live while this was asked for stays.
        const newest = info.points.at(-1)?.[TIME] ?? -Infinity;
        const meanwhile = target.points.filter((point) => !target.loaded || point[TIME] >= newest);
        target.load(info.points);
        meanwhile.forEach((point) => target.add(point));
        target.loaded = true;
        this.dirty.add(info.name);
      }
    }
  }

  // Charts

  #paint() {
    const groups = this.store.groups();
    for (const [key, { chart, card }] of this.charts) {
      if (groups.has(key)) continue;
      chart.destroy();
      card.remove();
      this.charts.delete(key);
    }
    for (const [key, list] of groups) {
      const known = this.charts.get(key);
      if (!known) this.#addChart(key, list);
      else if (known.chart.list.length !== list.length) {
        this.#place(key, list, known);
        known.chart.show(list);
      } else if (list.some((series) => this.dirty.has(series.info.name))) known.chart.show(list);
    }
    const grown = [...this.dirty].filter((name) => (this.store.series.get(name)?.points.length || 0) > MOST_POINTS);
    this.dirty.clear();
    if (grown.length) {
      this.#loadPoints(grown, { anew: true }).then(this.paint, () => {});
    }
    const none = this.part("charts-empty");
    if (none) none.hidden = [...this.charts.keys()].some((key) => key.startsWith("job:"));
  }

  #home(key) {
    return this.part(key.startsWith("system:") ? "system-charts" : "charts");
  }

  /** Titles the chart and puts it where a reload would: in the order of the names. */
  #place(key, list, { chart, card }) {
    const name = key.slice(key.indexOf(":") + 1);
    const title = GROUPS[name]?.() || (list.length === 1 ? list[0].info.title : sentence(name));
    chart.name = title;
    card.querySelector("[data-chart-title]").textContent = title;
    card.querySelector("[data-chart]").setAttribute("aria-label", title);
    const order = `${list.some((series) => series.info.primary) ? 0 : name === "loss" ? 1 : 2} ${name}`;
    if (card.dataset.key === order) return;
    card.dataset.key = order;
    const home = this.#home(key);
    const after = [...home.children].find((other) => other !== card && other.dataset.key > order);
    home.insertBefore(card, after || null);
  }

  #addChart(key, list) {
    const [scope] = key.split(":", 1);
    if (!this.#home(key)) return;
    const card = this.part("chart-template").content.firstElementChild.cloneNode(true);
    const box = card.querySelector("[data-chart]");
    const chart = new LineChart(box, {
      name: "",
      connect: scope,
      start: () => (this.summary?.started_at ? Date.parse(this.summary.started_at) / 1000 : 0),
      settings: scope === "system" ? { axis: "time", log: false, smoothing: 0, clip: false } : this.settings,
    });
    this.#place(key, list, { chart, card });
    chart.show(list);
    this.charts.set(key, { chart, card });
    card.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-chart-do]") : null;
      if (!button) return;
      const act = button.dataset.chartDo;
      if (act === "reset") chart.resetZoom();
      else if (act === "png") chart.savePng();
      else if (act === "csv") chart.saveCsv();
      else if (act === "wide") button.setAttribute("aria-pressed", String(card.classList.toggle("is-wide")));
      else if (act === "table") {
        const table = card.querySelector("[data-chart-table]");
        table.hidden = !table.hidden;
        box.hidden = !table.hidden;
        button.setAttribute("aria-pressed", String(!table.hidden));
        table.replaceChildren(...(table.hidden ? [] : [chart.table()]));
      }
    });
  }

  #listen() {
    for (const control of this.parts("chart-setting")) {
      const name = control.dataset.chartSetting;
      if (control.type === "checkbox") control.checked = this.settings[name];
      else control.value = this.settings[name];
      const shown = control.parentElement.querySelector("output");
      if (shown) shown.textContent = Number(this.settings[name]).toFixed(2);
      control.addEventListener("input", () => {
        this.settings[name] = control.type === "checkbox" ? control.checked : control.type === "range" ? Number(control.value) : control.value;
        if (shown) shown.textContent = Number(control.value).toFixed(2);
        localStorage.setItem(SETTINGS, JSON.stringify(this.settings));
        for (const [key, { chart }] of this.charts) {
          if (key.startsWith("system:")) continue;
          if (name === "axis") chart.resetZoom();
          chart.refresh();
        }
      });
    }
    for (const button of this.parts("action")) if (button.dataset.url) button.addEventListener("click", () => this.#act(button));
    setInterval(() => document.visibilityState === "visible" && this.summary && !this.summary.finished_at && this.#elapsed(), 1000);
  }

  async #act(button) {
    if (button.dataset.confirm && !(await askFor(button))) return;
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    try {
      const { url, method = "POST", next, done, doneState } = button.dataset;
      const answer = await call(method, url, method === "POST" ? { body: {} } : {});
      if (next) return void location.assign(next.replace("{id}", answer?.id));
      const isTrue = !doneState || doneState === answer?.job?.state;
      toast((isTrue && done) || gettext("Done."), "success");
    } catch (error) {
      toast([error.message, error.hint].filter(Boolean).join(" "), "error");
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }
}

document.querySelectorAll("[data-monitor]").forEach((root) => new Monitor(root));
