/** Keys. Nothing happens while a person types, while an input method composes, or while a dialog is open. */
import { isTyping } from "./dom.js";

const SEQUENCE = 1200;

/** @param {{openPalette: () => void}} actions */
export function startShortcuts({ openPalette }) {
  const mac = /Mac|iP(hone|ad)/.test(navigator.platform);
  document.querySelectorAll("[data-mod-key]").forEach((key) => {
    key.textContent = `${mac ? "⌘" : "Ctrl"} ${key.dataset.modKey}`;
  });
  let first = "";
  let since = 0;

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key === "k") {
      event.preventDefault();
      return openPalette();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector(".modal.show")) return;

    if (first === "g" && Date.now() - since < SEQUENCE) {
      first = "";
      const link = document.querySelector(`[data-keys="g ${CSS.escape(key)}"]`);
      if (link) {
        event.preventDefault();
        location.assign(link.getAttribute("href"));
      }
      return;
    }
    first = "";
    if (key === "g") {
      first = "g";
      since = Date.now();
    } else if (key === "/") {
      const search = [...document.querySelectorAll("[data-search-focus]")].find((field) => field.offsetParent !== null);
      if (search) search.focus();
      else openPalette();
      event.preventDefault();
    } else if (event.key === "?") {
      window.tabler.Modal.getOrCreateInstance("#shortcuts").show();
      event.preventDefault();
    } else if (key === "j" || key === "k") {
      moveRow(key === "j" ? 1 : -1);
    } else if (key === "enter") {
      const row = document.querySelector("tr.is-selected");
      if (row && !(event.target instanceof HTMLElement && event.target.closest("a, button"))) row.querySelector("a")?.click();
    }
  });
}

function moveRow(step) {
  const rows = [...document.querySelectorAll("table[data-rows] > tbody > tr")].filter((row) => row.offsetParent !== null);
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("is-selected"));
  const next = now === -1 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + step));
  rows[now]?.classList.remove("is-selected");
  rows[next].classList.add("is-selected");
  rows[next].scrollIntoView({ block: "nearest" });
}
