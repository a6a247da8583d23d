/**
 * Ctrl/⌘ K: go to a page, project, dataset or job by name. Pages come from the navigation; other sources join with
 * `addSource`, or by `data-palette-source="/api/v1/projects" data-palette-icon="folder"` on any element of the page: the
 * address is asked with `?search=`, and answers `{"results": [{"name", "url", "note"?}]}`.
 */
import { get, withQuery } from "./api.js";
import { el, icon } from "./dom.js";

/** @typedef {{name: string, url: string, icon?: string, note?: string}} Target */
/** @type {((query: string, signal: AbortSignal) => Promise<Target[]>|Target[])[]} */
const sources = [];

/** @param {(query: string, signal: AbortSignal) => Promise<Target[]>|Target[]} source */
export function addSource(source) {
  sources.push(source);
}

/** Composed and decomposed Hangul, and upper and lower case, are the same. @param {string} text */
export function fold(text) {
  return text.normalize("NFC").toLocaleLowerCase();
}

function pages(query) {
  const wanted = fold(query);
  return [...document.querySelectorAll("[data-nav]")]
    .filter((link) => fold(link.dataset.nav).includes(wanted))
    .map((link) => ({ name: link.dataset.nav, url: link.getAttribute("href"), icon: link.dataset.icon, note: link.dataset.keys }));
}

function remote(element) {
  return async (query, signal) => {
    if (!query.trim()) return [];
    const answer = await get(withQuery(element.dataset.paletteSource, { search: query, page_size: 8 }), { signal });
    return (answer.results || [])
      .filter((item) => item.url)
      .map((item) => ({ name: item.name, url: item.url, note: item.note, icon: element.dataset.paletteIcon || "point" }));
  };
}

export function startPalette() {
  const root = document.getElementById("palette");
  if (!root) return () => {};
  const input = root.querySelector("[data-palette-input]");
  const list = root.querySelector("[data-palette-list]");
  const empty = root.querySelector("[data-palette-empty]");
  const dialog = window.tabler.Modal.getOrCreateInstance(root);
  sources.push(pages, ...[...document.querySelectorAll("[data-palette-source]")].map(remote));
  let chosen = 0;
  let running = new AbortController();

  const choose = (index) => {
    const options = [...list.children];
    if (!options.length) return input.removeAttribute("aria-activedescendant");
    chosen = (index + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
    input.setAttribute("aria-activedescendant", options[chosen].id);
    options[chosen].scrollIntoView({ block: "nearest" });
  };

  const draw = (targets) => {
    list.replaceChildren(
      ...targets.map((target, index) =>
        el(
          "li",
          {
            role: "option",
            id: `palette-${index}`,
            data: { url: target.url },
            onclick: () => location.assign(target.url),
            onmousemove: () => chosen !== index && choose(index),
          },
          icon(target.icon || "point"),
          el("span", { class: "grow", text: target.name }),
          el("span", { class: "row-note", text: target.note || "" }),
        ),
      ),
    );
    empty.hidden = targets.length > 0;
    choose(0);
  };

  const look = async () => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const found = await Promise.allSettled(sources.map(async (source) => source(input.value, signal)));
    if (!signal.aborted) draw(found.flatMap((result) => (result.status === "fulfilled" ? result.value : [])));
  };

  input.addEventListener("input", look);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") list.children[chosen]?.click();
    else return;
    event.preventDefault();
  });
  root.addEventListener("shown.bs.modal", () => input.focus());
  const open = () => {
    input.value = "";
    look();
    dialog.show();
  };
  document.querySelectorAll("[data-palette-open]").forEach((button) => button.addEventListener("click", open));
  return open;
}
