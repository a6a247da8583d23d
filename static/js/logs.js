/**
 * The log of a job. Root: `data-log data-url="…/logs"`; parts inside: [data-log-view], [data-log-follow], [data-log-search],
 * [data-log-count], [data-log-previous], [data-log-next], [data-log-level], [data-log-download], [data-log-note].
 */
import { ApiError, get, withQuery } from "./api.js";
import { download, el } from "./dom.js";
import { count } from "./format.js";
import { fill, gettext } from "./i18n.js";
import { Logbook, passes } from "./logbook.js";
import { fold } from "./palette.js";
import { toast } from "./toasts.js";

const PIECE = 65_536;
const TAIL = 512 * 1024;
const EVERY = 1500;
const NEAR = 24;

export class LogViewer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.url = root.dataset.url;
    this.part = (name) => root.querySelector(`[data-log-${name}]`);
    this.view = this.part("view");
    this.book = new Logbook();
    this.offset = null;
    this.following = true;
    this.active = true;
    this.reading = false;
    this.matches = [];
    this.match = -1;
    this.timer = null;
    this.#listen();
  }

  /** @param {boolean} active whether more can still come */
  setActive(active) {
    this.active = active;
    this.read();
  }

  #listen() {
    const follow = this.part("follow");
    this.view.addEventListener("scroll", () => {
      const atEnd = this.view.scrollHeight - this.view.scrollTop - this.view.clientHeight < NEAR;
      if (atEnd !== this.following) this.#follow(atEnd);
    });
    follow?.addEventListener("click", () => {
      this.#follow(!this.following);
      if (this.following) this.#toEnd();
    });
    this.part("search")?.addEventListener("input", () => this.#search());
    this.part("search")?.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.#go(event.shiftKey ? -1 : 1);
    });
    this.part("next")?.addEventListener("click", () => this.#go(1));
    this.part("previous")?.addEventListener("click", () => this.#go(-1));
    this.part("level")?.addEventListener("change", () => this.#redraw());
    this.part("download")?.addEventListener("click", () => this.#save());
    new IntersectionObserver(([entry]) => {
      this.seen = entry.isIntersecting;
      if (this.seen) this.read();
    }).observe(this.root);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.read());
  }

  #follow(on) {
    this.following = on;
    this.part("follow")?.setAttribute("aria-pressed", String(on));
  }

  #toEnd() {
    this.view.scrollTop = this.view.scrollHeight;
  }

  /** Reads what is new, as long as somebody looks. */
  async read() {
    if (this.reading || !this.seen || document.visibilityState !== "visible") return;
    this.reading = true;
    clearTimeout(this.timer);
    try {
      let page;
      do {
        page = await get(withQuery(this.url, this.offset === null ? { offset: -TAIL, limit: TAIL } : { offset: this.offset, limit: PIECE }));
        if (this.offset === null) {
          this.book.partial = page.offset > 0;
          this.#note();
        }
        // A tail begins somewhere within a line.
        const from = this.offset === null && page.offset > 0 ? page.text.indexOf("\n") + 1 : 0;
        this.offset = page.next_offset;
        this.#add(this.book.push(page.text.slice(from)));
      } while (this.offset < page.size && page.text);
      if (page.complete) this.#add(this.book.finish());
      this.done = page.complete;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing) {
        this.done = true;
        this.view.replaceChildren(el("div", { class: "log-note", text: error.message }));
      }
    } finally {
      this.reading = false;
    }
    if (!this.done && (this.active || this.offset === null)) this.timer = setTimeout(() => this.read(), EVERY);
  }

  #note() {
    const note = this.part("note");
    if (!note) return;
    note.hidden = !this.book.partial && !this.book.dropped;
    note.textContent = gettext("Earlier lines are in the download.");
  }

  /** @param {import("./logbook.js").Line[]} lines */
  #add(lines) {
    if (!lines.length) return;
    const level = this.part("level")?.value || "";
    this.view.append(...lines.filter((line) => passes(line, level)).map((line) => this.#line(line)));
    const first = this.book.lines[0].number;
    while (this.view.firstElementChild && Number(this.view.firstElementChild.dataset.number) < first) {
      this.view.firstElementChild.remove();
    }
    if (this.part("search")?.value) this.#search({ keep: true });
    if (this.following) this.#toEnd();
    this.#note();
  }

  #line(line) {
    const id = `log-${line.number}`;
    return el(
      "div",
      { class: `log-line${location.hash === `#${id}` ? " is-target" : ""}`, id, data: { number: line.number, level: line.level } },
      el("a", { href: `#${id}`, text: line.number, "aria-label": fill(gettext("Line %(number)s"), { number: line.number }) }),
      el("span", {}, ...this.#words(line)),
    );
  }

  #words(line) {
    return line.pieces.map((piece) => (piece.css ? el("span", { class: piece.css, text: piece.text }) : piece.text));
  }

  #redraw() {
    const level = this.part("level")?.value || "";
    this.view.replaceChildren(...this.book.lines.filter((line) => passes(line, level)).map((line) => this.#line(line)));
    this.#search({ keep: true });
    if (this.following) this.#toEnd();
  }

  #search({ keep = false } = {}) {
    const wanted = fold(this.part("search")?.value || "");
    for (const number of this.matches) this.#unmark(number);
    const level = this.part("level")?.value || "";
    this.matches = wanted
      ? this.book.lines.filter((line) => passes(line, level) && fold(line.text).includes(wanted)).map((line) => line.number)
      : [];
    for (const number of this.matches) this.#mark(number, wanted);
    if (!keep) this.match = -1;
    if (this.matches.length && !keep) this.#go(-1, this.matches.length);
    else this.#count(wanted);
  }

  #count(wanted = this.part("search")?.value) {
    const counter = this.part("count");
    if (!counter) return;
    counter.textContent = !wanted ? "" : `${this.match < 0 ? 0 : this.match + 1} / ${count(this.matches.length)}`;
  }

  #row(number) {
    return this.view.querySelector(`#log-${number} > span`);
  }

  #unmark(number) {
    const line = this.book.lines[number - (this.book.lines[0]?.number ?? 0)];
    if (line) this.#row(number)?.replaceChildren(...this.#words(line));
  }

  #mark(number, wanted) {
    const row = this.#row(number);
    const line = this.book.lines[number - this.book.lines[0].number];
    if (!row || !line) return;
    const parts = [];
    const folded = fold(line.text);
    // Folding keeps the length of almost every text; where it does not, the line is marked as a whole.
    if (folded.length !== line.text.length) {
      row.replaceChildren(el("mark", { text: line.text }));
      return;
    }
    let last = 0;
    for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, last)) {
      parts.push(line.text.slice(last, at), el("mark", { text: line.text.slice(at, at + wanted.length) }));
      last = at + wanted.length;
    }
    row.replaceChildren(...parts, line.text.slice(last));
  }

  #go(step, from = this.match) {
    if (!this.matches.length) return this.#count();
    this.match = (from + step + this.matches.length) % this.matches.length;
    this.view.querySelectorAll("mark.is-current").forEach((mark) => mark.classList.remove("is-current"));
    const row = this.#row(this.matches[this.match]);
    row?.querySelector("mark")?.classList.add("is-current");
    if (row) {
      const top = row.offsetTop - this.view.offsetTop;
      this.#follow(false);
      this.view.scrollTop = top - this.view.clientHeight / 2;
    }
    this.#count();
  }

  async #save() {
    try {
      const pieces = [];
      let offset = 0;
      let page;
      do {
        page = await get(withQuery(this.url, { offset, limit: 8 * PIECE }));
        pieces.push(page.text);
        offset = page.next_offset;
      } while (page.text && offset < page.size);
      download(this.root.dataset.fileName || "log.txt", new Blob(pieces, { type: "text/plain;charset=utf-8" }));
    } catch (error) {
      toast(error.message, "error");
    }
  }
}
