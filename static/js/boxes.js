/**
 * Boxes over pictures. Root: `[data-boxes='[…]'][data-classes='[…]'][data-width][data-height]` around an <img>; coordinates
 * are pixels of the upright picture of that size. Optional controls for all boxes within an element: `[data-boxes-scope]`
 * with [data-boxes-toggle] (checkbox), [data-boxes-threshold] (range 0 … 1), [data-boxes-kind] (select: truth, prediction).
 */
import { count, figure } from "./format.js";

const HUES = ["#3d7bff", "#ff8a3d", "#12b5a0", "#d65fd0", "#e0b020", "#3bb4ee", "#f2617a", "#8f7bff", "#7ab52b", "#c98a5b"];

/** The colour of a class, the same on every page. @param {number} id */
export function classColor(id) {
  return HUES[((id % HUES.length) + HUES.length) % HUES.length];
}

/**
 * Where a picture lies in a box that contains it whole, centred.
 * @returns {{left: number, top: number, scale: number}}
 */
export function contain(width, height, boxWidth, boxHeight) {
  const scale = Math.min(boxWidth / width, boxHeight / height);
  return { left: (boxWidth - width * scale) / 2, top: (boxHeight - height * scale) / 2, scale };
}

/** @param {{score?: number, kind?: string}} box @param {{threshold: number, kind: string}} view */
export function isShown(box, { threshold, kind }) {
  return (box.score === undefined || box.score === null || box.score >= threshold) && (!kind || (box.kind || "truth") === kind);
}

export class BoxLayer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.image = root.querySelector("img");
    this.view = { shown: true, threshold: 0, kind: "" };
    this.hover = -1;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    root.append(this.canvas);
    this.load();
    new ResizeObserver(() => this.draw()).observe(root);
    this.image.addEventListener("load", () => this.draw());
    root.addEventListener("pointermove", (event) => this.#point(event));
    root.addEventListener("pointerleave", () => this.#setHover(-1));
  }

  /** Reads the attributes again, after a script changed them. */
  load() {
    const { boxes, classes, width, height } = this.root.dataset;
    this.boxes = JSON.parse(boxes || "[]");
    this.names = new Map(JSON.parse(classes || "[]").map((item) => [item.id, item.name]));
    this.size = [Number(width) || this.image.naturalWidth, Number(height) || this.image.naturalHeight];
    this.draw();
  }

  set(view) {
    Object.assign(this.view, view);
    this.draw();
  }

  #place() {
    const { width, height } = this.root.getBoundingClientRect();
    const [w, h] = this.size[0] ? this.size : [this.image.naturalWidth || 1, this.image.naturalHeight || 1];
    return { width, height, ...contain(w, h, width, height) };
  }

  draw() {
    const { width, height, left, top, scale } = this.#place();
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (!this.view.shown || !width) return;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = `600 11px ${getComputedStyle(this.root).fontFamily}`;
    context.textBaseline = "top";
    const small = width < 240;
    this.boxes.forEach((box, index) => {
      if (!isShown(box, this.view)) return;
      const color = classColor(box.class);
      const [x, y, w, h] = [left + box.bbox[0] * scale, top + box.bbox[1] * scale, box.bbox[2] * scale, box.bbox[3] * scale];
      const strong = index === this.hover;
      context.globalAlpha = this.hover >= 0 && !strong ? 0.35 : 1;
      context.setLineDash(box.kind === "prediction" ? [5, 3] : []);
      context.lineWidth = strong ? 3 : 2;
      context.strokeStyle = color;
      context.strokeRect(x, y, w, h);
      if (strong) {
        context.fillStyle = `${color}33`;
        context.fillRect(x, y, w, h);
      }
      if (small && !strong) return;
      const name = this.names.get(box.class) ?? `#${box.class}`;
      const words = box.score === undefined || box.score === null ? name : `${name} ${figure(box.score, 2)}`;
      const wide = context.measureText(words).width + 8;
      const labelY = y >= 16 ? y - 16 : y;
      context.fillStyle = color;
      context.fillRect(Math.max(0, Math.min(x - 1, width - wide)), labelY, wide, 16);
      context.fillStyle = "#08111f";
      context.fillText(words, Math.max(0, Math.min(x - 1, width - wide)) + 4, labelY + 3);
    });
    context.globalAlpha = 1;
  }

  #point(event) {
    const { left, top, scale } = this.#place();
    const frame = this.root.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left - left) / scale, (event.clientY - frame.top - top) / scale];
    let best = -1;
    let area = Infinity;
    this.boxes.forEach(({ bbox: [bx, by, w, h] }, index) => {
      if (!isShown(this.boxes[index], this.view) || x < bx || y < by || x > bx + w || y > by + h || w * h >= area) return;
      best = index;
      area = w * h;
    });
    this.#setHover(best);
  }

  #setHover(index) {
    if (index === this.hover) return;
    this.hover = index;
    this.draw();
  }
}

const layers = new WeakMap();

/** Draws what is new on the page. @param {ParentNode} [within] */
export function startBoxes(within = document) {
  for (const root of within.querySelectorAll("[data-boxes]")) {
    if (!layers.has(root)) layers.set(root, new BoxLayer(root));
  }
}

/** The layer of a picture. @param {HTMLElement} root @returns {BoxLayer|undefined} */
export function layerOf(root) {
  return layers.get(root);
}

function startControls(scope) {
  const apply = () => {
    const threshold = Number(scope.querySelector("[data-boxes-threshold]")?.value ?? 0);
    const view = {
      shown: scope.querySelector("[data-boxes-toggle]")?.checked ?? true,
      threshold,
      kind: scope.querySelector("[data-boxes-kind]")?.value ?? "",
    };
    let seen = 0;
    for (const root of scope.querySelectorAll("[data-boxes]")) {
      layers.get(root)?.set(view);
      seen += (layers.get(root)?.boxes || []).filter((box) => isShown(box, view)).length;
    }
    const output = scope.querySelector("[data-boxes-threshold] + output");
    if (output) output.textContent = threshold.toFixed(2);
    const total = scope.querySelector("[data-boxes-count]");
    if (total) total.textContent = count(seen);
  };
  scope.addEventListener("input", (event) => {
    if (event.target.matches("[data-boxes-threshold], [data-boxes-toggle], [data-boxes-kind]")) apply();
  });
  document.addEventListener("content:change", apply);
  apply();
}

if (typeof document !== "undefined") {
  startBoxes();
  document.addEventListener("content:change", () => startBoxes());
  document.querySelectorAll("[data-boxes-scope]").forEach(startControls);
}
