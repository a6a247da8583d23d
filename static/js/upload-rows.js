/** The files of an upload as rows: how far each is, what is wrong with it, and its own way to try again. Used by upload.js. */
import { el, icon } from "./dom.js";
import { bytes, count } from "./format.js";
import { fill, gettext } from "./i18n.js";

const LISTED = 200;

export class UploadRows {
  /** @param {HTMLElement} list @param {(path: string) => void} retry */
  constructor(list, retry) {
    this.list = list;
    this.retry = retry;
    /** @type {Map<string, {row: HTMLElement, bar: HTMLElement}>} */
    this.rows = new Map();
    this.more = el("li", { class: "text-secondary" });
  }

  /** @param {import("./upload-plan.js").UploadPlan} plan */
  paint(plan) {
    const { items, hidden } = plan.shown(LISTED);
    const wanted = new Set(items.map((item) => item.path));
    for (const [path, { row }] of this.rows) {
      if (wanted.has(path)) continue;
      row.remove();
      this.rows.delete(path);
    }
    items.forEach((item, place) => this.#show(item, place));
    this.more.textContent = fill(gettext("%(count)s more failed"), { count: count(hidden) });
    if (hidden) this.list.append(this.more);
    else this.more.remove();
  }

  #show(item, place) {
    const { row, bar } = this.rows.get(item.path) ?? this.#made(item);
    // Moved only where it stands elsewhere: what somebody is about to press stays.
    if (this.list.children[place] !== row) this.list.insertBefore(row, this.list.children[place] ?? null);
    bar.value = item.size ? item.loaded / item.size : item.state === "sent" ? 1 : 0;
    const error = row.querySelector(".error");
    if (!item.error) error?.remove();
    else if (error) error.firstChild.textContent = item.error;
    else row.append(this.#failure(item));
  }

  #made(item) {
    const bar = el("progress", { class: "meter", max: 1, value: 0, "aria-label": item.path });
    const size = el("span", { class: "text-end", text: bytes(item.size) });
    const made = { row: el("li", {}, el("span", { class: "name", title: item.path, text: item.path }), bar, size), bar };
    this.rows.set(item.path, made);
    return made;
  }

  #failure(item) {
    const label = fill(gettext("Try %(name)s again"), { name: item.path });
    const button = el("button", { type: "button", class: "btn btn-sm", "aria-label": label, onclick: () => this.retry(item.path) });
    button.append(icon("refresh"), gettext("Try again"));
    return el("div", { class: "error" }, el("span", { text: item.error }), button);
  }
}
