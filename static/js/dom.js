/** Small hands for the DOM. Text is always set as text, never as markup. */

/**
 * Makes an element. `on…` keys are listeners, `data` and `aria` are objects, everything else is an attribute.
 * @param {string} tag
 * @param {Record<string, any>} [options]
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElement}
 */
export function el(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "aria") for (const [key, text] of Object.entries(value)) element.setAttribute(`aria-${key}`, text);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An svg element with attributes.
 * @param {string} tag @param {Record<string, string|number>} attributes @param {...Node} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** An icon of the sprite. @param {string} name @param {string} [css] */
export function icon(name, css = "") {
  const sprite = document.documentElement.dataset.icons || "";
  return svg(
    "svg",
    { class: `icon ${css}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
    svg("use", { href: `${sprite}#${name}` }),
  );
}

/** Hands a file to the person. @param {string} name @param {Blob|string} content a string is a data or object URL */
export function download(name, content) {
  const url = typeof content === "string" ? content : URL.createObjectURL(content);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (typeof content !== "string") setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A call no more often than every `wait` ms; the last one is never dropped. @param {() => void} work @param {number} wait */
export function throttle(work, wait) {
  let timer = null;
  let last = 0;
  return () => {
    if (timer !== null) return;
    const rest = Math.max(0, last + wait - Date.now());
    timer = setTimeout(() => {
      timer = null;
      last = Date.now();
      work();
    }, rest);
  };
}

/** Whether typing goes into a field right now. @param {EventTarget|null} target */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}
