/**
 * The question before an act, as a dialog of the page. `data-confirm="…"` on a form, on its submit button, or (through
 * hx-confirm) on anything that htmx sends. `data-confirm-label` says what
 * the answer does; optional: `data-confirm-detail`, `data-confirm-danger`.
 */

/**
 * @param {string} text
 * @param {{detail?: string, label?: string, danger?: boolean}} [options]
 * @returns {Promise<boolean>}
 */
export function ask(text, { detail = "", label = "", danger = false } = {}) {
  const root = document.getElementById("confirm");
  const yes = root.querySelector("[data-confirm-yes]");
  root.querySelector("[data-confirm-text]").textContent = text;
  const more = root.querySelector("[data-confirm-detail]");
  more.textContent = detail;
  more.hidden = !detail;
  yes.textContent = label || yes.dataset.default;
  yes.classList.toggle("btn-danger", danger);
  yes.classList.toggle("btn-primary", !danger);
  const dialog = window.tabler.Modal.getOrCreateInstance(root);
  return new Promise((resolve) => {
    let answer = false;
    const accept = () => {
      answer = true;
      dialog.hide();
    };
    yes.addEventListener("click", accept);
    root.addEventListener("shown.bs.modal", () => yes.focus(), { once: true });
    root.addEventListener(
      "hidden.bs.modal",
      () => {
        yes.removeEventListener("click", accept);
        resolve(answer);
      },
      { once: true },
    );
    dialog.show();
  });
}

/** @param {HTMLElement} element */
export function askFor(element) {
  return ask(element.dataset.confirm, {
    detail: element.dataset.confirmDetail,
    label: element.dataset.confirmLabel,
    danger: "confirmDanger" in element.dataset,
  });
}

export function startConfirm() {
  const passed = new WeakSet();
  document.addEventListener(
    "submit",
    async (event) => {
      const form = event.target;
      const source = [event.submitter, form].find((element) => element?.dataset?.confirm);
      if (!source) return;
      if (passed.delete(form)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (await askFor(source)) {
        passed.add(form);
        form.requestSubmit(event.submitter?.form === form ? event.submitter : undefined);
      }
    },
    true,
  );
  document.addEventListener("htmx:confirm", (event) => {
    event.preventDefault();
    const { ctx, issueRequest, dropRequest } = event.detail;
    const { confirmLabel: label, confirmDetail: detail, ...rest } = ctx.sourceElement.dataset;
    ask(ctx.confirm, { label, detail, danger: "confirmDanger" in rest }).then((answer) =>
      answer ? issueRequest() : dropRequest(),
    );
  });
}
