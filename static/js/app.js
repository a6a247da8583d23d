/** What every page has: theme, sidebar, notices, questions, palette, keys, times, copy buttons, htmx's manners. */
import { csrfToken } from "./api.js";
import { startConfirm } from "./confirm.js";
import { ago } from "./format.js";
import { gettext } from "./i18n.js";
import { startPalette } from "./palette.js";
import { startShortcuts } from "./shortcuts.js";
import { startToasts, toast } from "./toasts.js";

const YEAR = 365 * 24 * 3600;

/** A preference that the server reads to draw the next page right at once. */
function remember(name, value) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; samesite=lax${secure}`;
}

function startTheme() {
  const root = document.documentElement;
  const buttons = [...document.querySelectorAll("[data-theme-choice]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const choice = button.dataset.themeChoice;
      root.dataset.theme = choice;
      const dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
      root.dataset.bsTheme = dark ? "dark" : "light";
      remember("theme", choice);
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      document.dispatchEvent(new CustomEvent("theme:change"));
    });
  }
}

function startSidebar() {
  document.querySelector("[data-sidebar-fold]")?.addEventListener("click", () => {
    const root = document.documentElement;
    const folded = root.dataset.sidebar !== "collapsed";
    if (folded) root.dataset.sidebar = "collapsed";
    else delete root.dataset.sidebar;
    remember("sidebar", folded ? "collapsed" : "open");
  });
}

function tellTimes(within = document) {
  for (const time of within.querySelectorAll("time[data-relative]")) {
    const words = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
}

function startTooltips(within = document) {
  for (const element of within.querySelectorAll('[data-bs-toggle="tooltip"]')) {
    window.tabler.Tooltip.getOrCreateInstance(element, { trigger: "hover focus", animation: false });
  }
}

function startCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
    if (!button) return;
    const source = button.closest("[data-copy-scope]")?.querySelector("[data-copy-source]");
    try {
      await navigator.clipboard.writeText(button.dataset.copy || source?.textContent || "");
      toast(gettext("Copied."), "success");
    } catch {
      // No clipboard without https: select the text, so that one key copies it.
      if (source) getSelection()?.selectAllChildren(source);
      toast(gettext("Press Ctrl C or ⌘ C to copy the selected text."), "info");
    }
  });
}

function startHtmx() {
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (!/^(GET|HEAD)$/.test(request.method)) request.headers["X-CSRFToken"] = csrfToken();
  });
  document.addEventListener("htmx:error", () => toast(gettext("The portal did not answer."), "error"));
  document.addEventListener("htmx:response:error", (event) => {
    if (event.detail.ctx.response.status >= 500) toast(gettext("Something went wrong on our side."), "error");
  });
  document.addEventListener("htmx:after:swap", () => {
    startTooltips();
    tellTimes();
    document.querySelector("[data-form-errors]")?.focus();
    document.dispatchEvent(new CustomEvent("content:change"));
  });
}

/** Whether a list, a date or a search says something else than what the page was drawn for. */
function isChanged(field) {
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  const drawn = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(drawn, 0);
}

/** What was chosen before htmx listened would stand beside the results of something else: it is asked for now. */
function catchUp(form) {
  const fields = form.querySelectorAll("select, input[type=search], input[type=date]");
  if ([...fields].some(isChanged)) form.dispatchEvent(new Event("change"));
}

/** htmx may begin before this file or after it: whichever comes second finds what was chosen. */
function startFilters() {
  document.addEventListener("htmx:after:init", ({ target }) => {
    if (target.matches(".filters")) catchUp(target);
  });
  document.querySelectorAll(".filters[hx-get]").forEach(catchUp);
}

/** On a narrow screen the place where one is may lie beyond the edge of its line. */
function showTab(tab) {
  const line = tab?.closest(".tab-line");
  if (!line || line.scrollWidth <= line.clientWidth) return;
  line.scrollLeft = tab.offsetLeft - line.offsetLeft - (line.clientWidth - tab.offsetWidth) / 2;
}

function startTabs() {
  for (const tab of document.querySelectorAll('.tab-line [aria-current], .tab-line [aria-selected="true"]')) showTab(tab);
  document.addEventListener("shown.bs.tab", (event) => showTab(event.target));
}

startTheme();
startSidebar();
startTabs();
startToasts();
startConfirm();
startTooltips();
startCopy();
startHtmx();
startFilters();
tellTimes();
setInterval(tellTimes, 20_000);
if (document.getElementById("palette")) startShortcuts({ openPalette: startPalette() });
document.querySelector("[data-form-errors]")?.focus();
