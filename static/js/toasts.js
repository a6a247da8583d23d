/** Short notices at the lower right. Errors stay until they are closed. */

const LIFE = 6000;
const TONES = { success: "green", warning: "yellow", error: "red" };
const ICONS = { success: "circle-check", warning: "alert-triangle", error: "alert-triangle" };

/** @param {string} text @param {"info"|"success"|"warning"|"error"} [level] */
export function toast(text, level = "info") {
  const template = document.getElementById("toast-template");
  const stack = document.getElementById("toasts");
  if (!template || !stack) return;
  const note = template.content.firstElementChild.cloneNode(true);
  note.classList.remove("tone-blue");
  note.classList.add(`tone-${TONES[level] || "blue"}`);
  note.dataset.level = level;
  if (level === "error") note.setAttribute("role", "alert");
  note.querySelector("[data-toast-text]").textContent = text;
  const use = note.querySelector("use");
  if (ICONS[level]) use.setAttribute("href", `${use.getAttribute("href").split("#")[0]}#${ICONS[level]}`);
  stack.append(note);
  arm(note);
}

function arm(note) {
  note.querySelector("[data-toast-close]").addEventListener("click", () => note.remove());
  if (note.dataset.level !== "error") setTimeout(() => note.remove(), LIFE);
}

/** Wakes up the notices that the server drew and listens for those that htmx brings (HX-Trigger: {"toast": {…}}). */
export function startToasts() {
  document.querySelectorAll("#toasts [data-toast]").forEach(arm);
  document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value, event.detail.level));
}
