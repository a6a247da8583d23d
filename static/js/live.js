/**
 * The client of docs/architecture/live-protocol.md: connect → hello → catch up → live, without a gap and without a
 * double. `Cursor` and `Backoff` are pure; `LiveClient` gets its socket, clock and timers from outside, so that tests
 * drive it without a browser.
 */

/** @typedef {{seq: number, attempt_no: number|null, stream: string, type: string, time: number|string, data: any}} JobEvent */
/** @typedef {Record<string, any>} JobSummary */
/** @typedef {"connecting"|"live"|"stale"|"reconnecting"|"refused"} LiveState */

/** Close codes after which trying again cannot help. */
export const REFUSALS = { 4400: "protocol", 4401: "signed_out", 4403: "withdrawn", 4404: "gone", 4408: "ticket" };

/** As many live pages are open as one person may have: tried again after a while, for others close. */
const CROWDED = 4429;
const CROWDED_WAIT = 60_000;
const PING_EVERY = 5_000;
const STALE_AFTER = 15_000;
const CATCH_UP_LIMIT = 1000;

/** The highest sequence that has been applied. */
export class Cursor {
  /** @param {number|null} last null: nothing is known yet */
  constructor(last = null) {
    this.last = last;
  }

  /**
   * Those events that are new and follow without a gap, in order. Stops at the first gap.
   * @param {JobEvent[]} events
   * @returns {JobEvent[]}
   */
  take(events) {
    const fresh = [];
    for (const event of [...events].sort((one, other) => one.seq - other.seq)) {
      if (event.seq <= this.last) continue;
      if (event.seq !== this.last + 1) break;
      this.last = event.seq;
      fresh.push(event);
    }
    return fresh;
  }

  /**
   * What a hint asks for: `apply` its events, `fetch` what is missing first, or `ignore` it.
   * @param {{from: number, to: number, events?: JobEvent[]}} hint
   * @returns {"apply"|"fetch"|"ignore"}
   */
  judge(hint) {
    if (hint.to <= this.last) return "ignore";
    if (!hint.events || hint.from > this.last + 1) return "fetch";
    return "apply";
  }
}

/** Waiting times that double up to a limit, each shortened by chance so that clients do not return together. */
export class Backoff {
  constructor({ first = 500, limit = 15_000, random = Math.random } = {}) {
    this.first = first;
    this.limit = limit;
    this.random = random;
    this.count = 0;
  }

  next() {
    const whole = Math.min(this.limit, this.first * 2 ** this.count);
    this.count += 1;
    return Math.round(whole * (0.5 + this.random() / 2));
  }

  reset() {
    this.count = 0;
  }
}

/**
 * @typedef {object} LiveOptions
 * @property {() => WebSocket} connect opens a socket
 * @property {(after: number, limit: number) => Promise<{events: JobEvent[], event_seq: number, more: boolean}>} fetchEvents
 * @property {(summary: JobSummary) => Promise<void>|void} onSnapshot called at the first hello, before any event: loads
 *   the state of now or later; events that it already holds are given again, so applying must be idempotent
 * @property {(events: JobEvent[]) => void} onEvents in order, each once
 * @property {(summary: JobSummary) => void} onSummary
 * @property {(state: LiveState, detail: {code?: number, reason?: string}) => void} onState
 * @property {() => number} [now] @property {() => number} [random]
 * @property {(work: () => void, wait: number) => any} [later] @property {(timer: any) => void} [cancel]
 */

export class LiveClient {
  /** @param {LiveOptions} options */
  constructor({
    now = () => Date.now(),
    random = Math.random,
    later = (work, wait) => setTimeout(work, wait),
    cancel = (timer) => clearTimeout(timer),
    ...options
  }) {
    Object.assign(this, options, { now, later, cancel });
    this.cursor = new Cursor();
    this.backoff = new Backoff({ random });
    /** @type {LiveState} */
    this.state = "connecting";
    this.heard = now();
    this.socket = null;
    this.timers = {};
    this.work = Promise.resolve();
    this.stopped = false;
    this.generation = 0;
    this.behind = 0;
  }

  start() {
    this.#open();
    this.#watch();
  }

  stop() {
    this.stopped = true;
    Object.values(this.timers).forEach((timer) => this.cancel(timer));
    this.#drop();
  }

  /** The page can be seen again, or the network is back: find out at once whether the line still stands. */
  wake() {
    if (this.stopped || this.state === "refused") return;
    if (!this.socket) {
      this.backoff.reset();
      this.cancel(this.timers.open);
      this.#open();
    } else if (this.now() - this.heard > STALE_AFTER) {
      this.#lost(this.generation, { code: 1006 });
    } else {
      this.#ping();
    }
  }

  #set(state, detail = {}) {
    if (this.state === state) return;
    this.state = state;
    this.onState(state, detail);
  }

  #open() {
    this.#drop();
    const generation = ++this.generation;
    const mine = (handler) => (event) => generation === this.generation && handler(event);
    try {
      this.socket = this.connect();
    } catch {
      return this.#lost(generation, { code: 1006 });
    }
    this.heard = this.now();
    this.socket.onmessage = mine((event) => {
      this.heard = this.now();
      let frame;
      try {
        frame = JSON.parse(event.data);
      } catch {
        return this.#lost(generation, { code: 1006 });
      }
      this.#queue(generation, () => this.#frame(frame));
    });
    this.socket.onclose = mine((event) => this.#lost(generation, event));
  }

  /** Frames are worked off one after another; a failure (a fetch that found no portal) costs the connection. */
  #queue(generation, task) {
    this.work = this.work.then(async () => {
      if (this.stopped || generation !== this.generation) return;
      try {
        await task();
      } catch {
        this.#lost(generation, { code: 1006 });
      }
    });
  }

  async #frame(frame) {
    if (frame.type === "hello") {
      // A server that crashed may have lost its last second, and numbers what is sent again anew.
      if (this.cursor.last === null || frame.event_seq < this.cursor.last) {
        // Everything up to here is in the snapshot, which is read after this moment.
        await this.onSnapshot(frame.job);
        this.cursor.last = frame.event_seq;
      } else {
        await this.#catchUp(frame.event_seq);
      }
      this.onSummary(frame.job);
      this.backoff.reset();
      this.#set("live");
    } else if (this.cursor.last === null) {
      return;
    } else if (frame.type === "hint") {
      const verdict = this.cursor.judge(frame);
      if (verdict === "apply") this.#deliver(frame.events);
      // Also when a hint's own events were not whole.
      if (this.cursor.last < frame.to) await this.#catchUp(frame.to);
      if (frame.job) this.onSummary(frame.job);
      this.#set("live");
    } else if (frame.type === "pong") {
      if (frame.event_seq > this.cursor.last) await this.#catchUp(frame.event_seq);
      // Once may be a hint that overtook the answer.
      this.behind = frame.event_seq < this.cursor.last ? this.behind + 1 : 0;
      if (this.behind > 1) return this.#lost(this.generation, { code: 1006 });
      this.#set("live");
    }
  }

  async #catchUp(target) {
    while (this.cursor.last < target) {
      const before = this.cursor.last;
      const page = await this.fetchEvents(before, CATCH_UP_LIMIT);
      this.#deliver(page.events);
      if (this.cursor.last === before) throw new Error("the events after the cursor did not come");
      if (!page.more && this.cursor.last >= page.event_seq) break;
    }
  }

  #deliver(events) {
    const fresh = this.cursor.take(events);
    if (fresh.length) this.onEvents(fresh);
  }

  #lost(generation, { code, reason }) {
    if (this.stopped || generation !== this.generation) return;
    this.#drop();
    if (code in REFUSALS) {
      this.stopped = true;
      Object.values(this.timers).forEach((timer) => this.cancel(timer));
      return this.#set("refused", { code, reason: REFUSALS[code] });
    }
    if (code === CROWDED) {
      this.#set("refused", { code, reason: "crowded" });
      this.timers.open = this.later(() => this.#open(), CROWDED_WAIT);
      return;
    }
    this.#set("reconnecting", { code, reason });
    this.timers.open = this.later(() => this.#open(), this.backoff.next());
  }

  #drop() {
    if (!this.socket) return;
    this.generation += 1;
    this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
    this.socket = null;
  }

  #ping() {
    if (this.socket?.readyState === 1) this.socket.send('{"type": "ping"}');
  }

  #watch() {
    this.timers.watch = this.later(() => {
      const silent = this.now() - this.heard;
      if (this.socket && silent > STALE_AFTER * 2) this.#lost(this.generation, { code: 1006 });
      else if (this.socket && silent > STALE_AFTER && this.state === "live") this.#set("stale");
      this.#ping();
      if (!this.stopped) this.#watch();
    }, PING_EVERY);
  }
}
