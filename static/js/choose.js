/**
 * Choosing many of a page: `[data-choose]` is the form, its checkboxes `[name=item]` are what can be chosen. With the mouse
 * one by one, or with Shift from the last one to this; with the keyboard by the arrow keys (with Shift all on the way), Space,
 * and Ctrl or ⌘ with A. [data-choose-page] takes the page, [data-choose-all] all that match: their number is asked from
 * `data-count-url`, and the field `all` then stands for them. Nothing chosen, no act: the buttons in `.choose-acts` wait, and
 * the one with [data-choose-confirm] asks with the number.
 */
import { ApiError, get } from "./api.js";
import { count as worded } from "./format.js";
import { fill, gettext, ngettext } from "./i18n.js";
import { toast } from "./toasts.js";

/**
 * The positions between two of them, both ends included.
 * @param {number} from @param {number} to @returns {number[]}
 */
export function between(from, to) {
  const [low, high] = from < to ? [from, to] : [to, from];
  return Array.from({ length: high - low + 1 }, (_, step) => low + step);
}

/**
 * Where an arrow key leads from a place in a grid; the same place at its edges.
 * @param {string} key @param {number} at @param {number} size @param {number} columns
 */
export function stepped(key, at, size, columns) {
  const to = at + ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0);
  return to >= 0 && to < size ? to : at;
}

class Chooser {
  /** @param {HTMLFormElement} root */
  constructor(root) {
    this.root = root;
    this.boxes = [...root.querySelectorAll("input[name=item]")];
    this.page = root.querySelector("[data-choose-page]");
    this.all = root.querySelector("input[name=all]");
    // Those that somebody may not use at all say why, and stay as they are.
    this.acts = [...root.querySelectorAll(".choose-acts button:not([aria-disabled])")];
    this.last = 0;
    this.matching = 0;
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    this.page.addEventListener("change", () => this.#set(this.boxes.keys(), this.page.checked));
    root.querySelector("[data-choose-all]").addEventListener("click", () => this.#chooseAll());
    this.#show();
  }

  /** @param {Iterable<number>} places @param {boolean} checked */
  #set(places, checked) {
    for (const place of places) this.boxes[place].checked = checked;
    this.all.value = "";
    this.#show();
  }

  #click(event) {
    const place = this.boxes.indexOf(event.target);
    if (place < 0) return;
    this.#set(event.shiftKey ? between(this.last, place) : [place], this.boxes[place].checked);
    this.last = place;
  }

  #key(event) {
    const place = this.boxes.indexOf(event.target);
    if (place < 0) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
      event.preventDefault();
      this.#set(this.boxes.keys(), true);
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      const to = stepped(event.key, place, this.boxes.length, this.#columns());
      if (event.shiftKey) this.#set(between(place, to), true);
      this.boxes[to].focus();
      this.last = to;
    }
  }

  /** How many tiles stand in the first line. */
  #columns() {
    const tops = this.boxes.map((box) => box.closest("figure").offsetTop);
    return Math.max(1, tops.filter((top) => top === tops[0]).length);
  }

  async #chooseAll() {
    const most = Number(this.root.dataset.most);
    try {
      const { count, is_more: isMore } = await get(this.root.dataset.countUrl);
      if (isMore) {
        toast(fill(gettext("More than %(most)s images match, and one act takes no more. Narrow the filter."), { most: worded(most) }), "warning");
        return;
      }
      this.#set(this.boxes.keys(), true);
      this.matching = count;
      this.all.value = "1";
      this.#show();
    } catch (error) {
      toast(error instanceof ApiError ? error.message : gettext("The portal did not answer."), "error");
    }
  }

  get #chosen() {
    return this.all.value ? this.matching : this.boxes.filter((box) => box.checked).length;
  }

  #show() {
    const chosen = this.#chosen;
    const here = this.boxes.filter((box) => box.checked).length;
    this.page.checked = here === this.boxes.length;
    this.page.indeterminate = here > 0 && here < this.boxes.length;
    this.root.classList.toggle("has-chosen", chosen > 0);
    const words = fill(ngettext("%(count)s image chosen", "%(count)s images chosen", chosen), { count: worded(chosen) });
    this.root.querySelector("[data-choose-count]").textContent = chosen ? words : "";
    const question = fill(ngettext("Delete the %(count)s image that is chosen?", "Delete the %(count)s images that are chosen?", chosen), { count: worded(chosen) });
    for (const button of this.acts) {
      button.disabled = !chosen;
      if ("chooseConfirm" in button.dataset) button.dataset.confirm = question;
    }
  }
}

/** Writes how many images match beside the filters, once the page is there. @param {HTMLElement} place */
async function tell(place) {
  try {
    const { count, is_more: isMore } = await get(place.dataset.count);
    const shown = isMore ? gettext("more than %(count)s images match") : ngettext("%(count)s image matches", "%(count)s images match", count);
    place.textContent = fill(shown, { count: worded(count) });
  } catch {
    place.textContent = "";
  }
}

function start() {
  for (const root of document.querySelectorAll("[data-choose]:not([data-ready])")) {
    root.dataset.ready = "";
    new Chooser(root);
  }
  for (const place of document.querySelectorAll("[data-count]:not([data-ready])")) {
    place.dataset.ready = "";
    tell(place);
  }
}

if (typeof document !== "undefined") {
  start();
  document.addEventListener("content:change", start);
}
