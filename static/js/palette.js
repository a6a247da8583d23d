/**
 * Ctrl/⌘ K: go to a page, project, dataset or job by name. Pages come from the navigation and are there at once; other
 * sources join with `addSource`, or by `data-palette-source="/search/"` on any element of the page: once typing has
 * rested, the address is asked with `?q=`, and answers `{"results": [{"name", "url", "note"?, "icon"?}]}`.
 */
import { get, withQuery } from "./api.js";
import { el, icon } from "./dom.js";

/** @typedef {{name: string, url: string, icon?: string, note?: string}} Target */
/** @type {((query: string, signal: AbortSignal) => Promise<Target[]>|Target[])[]} */
const sources = [];
/** How long nothing is typed before a server is asked. */
const REST_MS = 150;

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
    const wanted = query.normalize("NFC").trim();
    if (!wanted) return [];
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    if (signal.aborted) return [];
    const answer = await get(withQuery(element.dataset.paletteSource, { q: wanted }), { signal });
    return (answer?.results || []).filter((item) => item.url);
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
    choose(Math.min(chosen, Math.max(targets.length - 1, 0)));
  };

  const look = async () => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    const found = sources.map(() => []);
    chosen = 0;
    empty.hidden = true;
    await Promise.allSettled(
      sources.map(async (source, at) => {
        const targets = await source(input.value, signal);
        if (signal.aborted) return;
        found[at] = targets;
        draw(found.flat());
      }),
    );
    if (!signal.aborted) empty.hidden = found.some((targets) => targets.length > 0);
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
