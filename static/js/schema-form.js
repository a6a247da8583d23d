/**
 * Makes components/schema_form.html comfortable: presets, restore, marks on what differs from the default, and the limits
 * checked while typing. The portal checks everything again; without this script the form works all the same.
 */
import { el, icon } from "./dom.js";
import { fill, gettext, ngettext } from "./i18n.js";

/** The value as text, as it is in the default. @param {HTMLInputElement|HTMLSelectElement} input */
function valueOf(input) {
  return input.type === "checkbox" ? String(input.checked) : input.value.trim();
}

/** Whether two values of a setting mean the same: 0.10 and 0.1 do. @param {string} one @param {string} other */
export function sameValue(one, other) {
  const [a, b] = [String(one), String(other)];
  if (a === b || a.toLowerCase() === b.toLowerCase()) return true;
  return a !== "" && b !== "" && Number(a) === Number(b);
}

/** What is wrong with a number, in words; "" when nothing is. @param {string} text @param {{min?: string, max?: string, step?: string, required?: boolean}} limits */
export function complaint(text, { min = "", max = "", step = "", required = false }) {
  if (text === "") return required ? gettext("A value is needed.") : "";
  const value = Number(text);
  if (!Number.isFinite(value)) return gettext("This is not a number.");
  if (step === "1" && !Number.isInteger(value)) return gettext("A whole number is needed.");
  if (min !== "" && value < Number(min)) return fill(gettext("At least %(limit)s."), { limit: min });
  if (max !== "" && value > Number(max)) return fill(gettext("At most %(limit)s."), { limit: max });
  return "";
}

class SchemaForm {
  constructor(root) {
    this.root = root;
    this.fields = [...root.querySelectorAll("[data-schema-field]")].map((field) => ({
      root: field,
      key: field.dataset.key,
      fallback: field.dataset.default,
      input: field.querySelector("input, select"),
    }));
    this.presets = [...root.querySelectorAll("[data-preset]")];
    for (const field of this.fields) {
      field.input.addEventListener("input", () => this.#changed(field));
      field.input.addEventListener("change", () => this.#changed(field));
      field.root.querySelector("[data-schema-restore]")?.addEventListener("click", () => this.#set(field, field.fallback));
      this.#changed(field, { check: false });
    }
    for (const button of this.presets) button.addEventListener("click", () => this.#preset(button));
    root.querySelector("[data-schema-reset]")?.addEventListener("click", () => this.apply({}));
    // A server's error in a folded part must be seen.
    const folded = root.querySelector("[data-schema-advanced]");
    if (folded?.querySelector(".is-invalid")) folded.open = true;
    root.addEventListener("invalid", () => folded && (folded.open = true), true);
  }

  /** A preset's values, and the model that it is meant for. @param {HTMLElement} button */
  #preset(button) {
    this.apply(JSON.parse(button.dataset.values || "{}"));
    const model = this.root.closest("form")?.querySelector('select[name="model"]');
    if (model && button.dataset.model) model.value = button.dataset.model;
  }

  /** Defaults everywhere, and these values on top. @param {Record<string, unknown>} values */
  apply(values) {
    for (const field of this.fields) this.#set(field, field.key in values ? String(values[field.key]) : field.fallback);
  }

  #set(field, value) {
    if (field.input.type === "checkbox") field.input.checked = String(value).toLowerCase() === "true";
    else field.input.value = value;
    field.input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  #changed(field, { check = true } = {}) {
    const { input } = field;
    const now = valueOf(input);
    field.root.classList.toggle("is-changed", !sameValue(now, field.fallback));
    if (check && input.type === "number") {
      const words = input.validity.badInput ? gettext("This is not a number.") : complaint(now, { min: input.min, max: input.max, step: input.step, required: input.required });
      input.setCustomValidity(words);
      input.classList.toggle("is-invalid", Boolean(words));
      input.setAttribute("aria-invalid", String(Boolean(words)));
      const place = field.root.querySelector("[data-schema-error]");
      place?.replaceChildren(...(words ? [el("div", { class: "field-error" }, icon("alert-circle"), el("span", { text: words }))] : []));
    }
    this.#count();
  }

  #count() {
    const values = new Map(this.fields.map((field) => [field.key, valueOf(field.input)]));
    const counter = this.root.querySelector("[data-schema-changes]");
    const changed = this.root.querySelectorAll("[data-schema-advanced] .is-changed").length;
    if (counter) counter.textContent = changed ? fill(ngettext("%(count)s changed", "%(count)s changed", changed), { count: changed }) : "";
    for (const button of this.presets) {
      const wanted = JSON.parse(button.dataset.values || "{}");
      const holds = this.fields.every((field) => sameValue(values.get(field.key), String(wanted[field.key] ?? field.fallback)));
      button.setAttribute("aria-pressed", String(holds));
      button.classList.toggle("active", holds);
    }
  }
}

/** @param {ParentNode} [within] */
export function startSchemaForms(within = document) {
  for (const root of within.querySelectorAll("[data-schema-form]:not([data-ready])")) {
    root.dataset.ready = "";
    new SchemaForm(root);
  }
}

if (typeof document !== "undefined") {
  startSchemaForms();
  document.addEventListener("content:change", () => startSchemaForms());
}
