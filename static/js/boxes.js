/**
 * Boxes over pictures, and what else labels are: `polygon` (rings), `mask` (runs down the columns), `corners` of turned
 * boxes, `keypoints`; an object without `bbox` is the class of the whole picture. Root:
 * `[data-boxes='[…]'][data-classes='[…]'][data-width][data-height]` around an <img>; coordinates are pixels of the upright
 * picture of that size. Optional controls for all boxes within an element: `[data-boxes-scope]`
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

/** A closed path through `x, y, x, y, …`. @param {Path2D} path @param {number[]} ring */
function addRing(path, ring) {
  for (let index = 0; index + 1 < ring.length; index += 2) path[index ? "lineTo" : "moveTo"](ring[index], ring[index + 1]);
  path.closePath();
}

/**
 * The pieces of a mask as rectangles of picture pixels: [x, y, width, height].
 * @param {{size: number[], counts: number[]}} mask
 */
export function maskPieces({ size: [height], counts }) {
  const pieces = [];
  let position = 0;
  counts.forEach((count, index) => {
    const end = position + count;
    while (index % 2 && position < end) {
      const [column, row] = [Math.floor(position / height), position % height];
      // Whole columns that follow each other are one piece.
      const columns = row === 0 ? Math.floor((end - position) / height) : 0;
      const piece = columns ? [column, 0, columns, height] : [column, row, 1, Math.min(height - row, end - position)];
      pieces.push(piece);
      position += piece[2] * piece[3];
    }
    position = end;
  });
  return pieces;
}

/** The outline of an object in picture pixels; null for a plain box and for the class of a picture. */
function outlineOf(object) {
  if (!object.polygon && !object.corners && !object.mask) return null;
  const path = new Path2D();
  for (const ring of object.polygon || (object.corners ? [object.corners] : [])) addRing(path, ring);
  if (object.mask) for (const piece of maskPieces(object.mask)) path.rect(...piece);
  return path;
}

/** Where an object's name stands: at the highest corner of its outline, else at its box. */
export function labelPoint({ bbox, polygon, corners }) {
  let [x, y] = [bbox[0], Infinity];
  for (const ring of polygon || (corners ? [corners] : [])) {
    for (let index = 0; index + 1 < ring.length; index += 2) {
      if (ring[index + 1] < y) [x, y] = [ring[index], ring[index + 1]];
    }
  }
  return y === Infinity ? [bbox[0], bbox[1]] : [x, y];
}

/** What an object is drawn as: the first outline that it has, and its key points; the pages' layers count by the same rule. */
export function partsOf(object) {
  const outline = ["mask", "polygon", "corners", "bbox"].find((name) => object[name]) ?? "picture";
  return object.keypoints ? [outline, "keypoints"] : [outline];
}

const NOTHING = new Set();

/**
 * @param {{score?: number, kind?: string, class?: number}} box
 * @param {{threshold: number, kind: string, hidden?: Set<string>}} view `hidden`: parts, and classes as `class-3`
 */
export function isShown(box, { threshold, kind, hidden = NOTHING }) {
  const passes = (box.score === undefined || box.score === null || box.score >= threshold) && (!kind || (box.kind || "truth") === kind);
  return passes && !hidden.has(`class-${box.class}`) && partsOf(box).some((part) => !hidden.has(part));
}

export class BoxLayer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.image = root.querySelector("img");
    this.view = { shown: true, threshold: 0, kind: "", hidden: NOTHING };
    // How much closer than the whole picture, and where its corner lies then, in pixels of the page.
    this.closer = { scale: 1, x: 0, y: 0 };
    this.hover = -1;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    root.append(this.canvas);
    this.load();
    new ResizeObserver(() => this.draw()).observe(root);
    this.image.addEventListener("load", () => this.draw());
    root.addEventListener("pointermove", (event) => this.#point(event));
    root.addEventListener("pointerleave", () => this.setHover(-1));
  }

  /** Reads the attributes again, after a script changed them. */
  load() {
    const { boxes, classes, width, height } = this.root.dataset;
    this.boxes = JSON.parse(boxes || "[]");
    this.classes = new Map(JSON.parse(classes || "[]").map((item) => [item.id, item]));
    this.outlines = this.boxes.map(outlineOf);
    this.size = [Number(width) || this.image.naturalWidth, Number(height) || this.image.naturalHeight];
    this.draw();
  }

  set(view) {
    Object.assign(this.view, view);
    this.draw();
  }

  /** Where the picture lies in its frame now: { width, height } of the frame, { left, top, scale } of the picture. */
  place() {
    const { width, height } = this.root.getBoundingClientRect();
    const [w, h] = this.size[0] ? this.size : [this.image.naturalWidth || 1, this.image.naturalHeight || 1];
    const { left, top, scale } = contain(w, h, width, height);
    const { scale: closer, x, y } = this.closer;
    return { width, height, left: x + left * closer, top: y + top * closer, scale: scale * closer };
  }

  draw() {
    const { width, height, left, top, scale } = this.place();
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    if (!this.view.shown || !width) return;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = `600 11px ${getComputedStyle(this.root).fontFamily}`;
    context.textBaseline = "top";
    const place = { left, top, scale, width, small: width < 240 };
    let line = 0;
    this.boxes.forEach((box, index) => {
      if (!isShown(box, this.view)) return;
      const color = this.colorOf(box);
      const strong = index === this.hover;
      context.globalAlpha = this.hover >= 0 && !strong ? 0.35 : 1;
      context.setLineDash(box.kind === "prediction" ? [5, 3] : []);
      context.lineWidth = strong ? 3 : 2;
      context.strokeStyle = color;
      if (box.bbox) {
        if (!this.view.hidden.has(partsOf(box)[0])) this.#shape(context, box, this.outlines[index], place, strong);
        if (box.keypoints && !this.view.hidden.has("keypoints")) this.#keypoints(context, box, place);
        const [x, y] = labelPoint(box);
        const isNamed = !this.view.hidden.has("names") && !place.small;
        if (isNamed || strong) this.#label(context, box, left + x * scale, top + y * scale, place);
      } else {
        // The class of the picture: in its upper left corner, one below the other.
        this.#label(context, box, left + 6, top + 22 + 20 * line, place);
        line += 1;
      }
    });
    context.globalAlpha = 1;
  }

  /** The colour of an object's class: that of the class table, or one of ours. */
  colorOf(box) {
    return this.classes.get(box.class)?.color || classColor(box.class);
  }

  #shape(context, box, outline, { left, top, scale }, strong) {
    const [x, y, w, h] = box.bbox.map((value, index) => value * scale + [left, top, 0, 0][index]);
    if (!outline) {
      context.strokeRect(x, y, w, h);
      if (strong) {
        context.fillStyle = `${context.strokeStyle}33`;
        context.fillRect(x, y, w, h);
      }
      return;
    }
    context.save();
    context.translate(left, top);
    context.scale(scale, scale);
    context.lineWidth /= scale;
    context.fillStyle = `${context.strokeStyle}${box.mask ? "88" : strong ? "66" : "33"}`;
    context.fill(outline, "evenodd");
    if (!box.mask) context.stroke(outline);
    context.restore();
  }

  #keypoints(context, box, { left, top, scale, small }) {
    const points = [];
    for (let index = 0; index + 2 < box.keypoints.length; index += 3) {
      const [x, y, visible] = box.keypoints.slice(index, index + 3);
      points.push(visible ? [left + x * scale, top + y * scale, visible] : null);
    }
    context.setLineDash([]);
    for (const [from, to] of this.classes.get(box.class)?.skeleton || []) {
      if (!points[from] || !points[to]) continue;
      context.beginPath();
      context.moveTo(points[from][0], points[from][1]);
      context.lineTo(points[to][0], points[to][1]);
      context.stroke();
    }
    const radius = small ? 2 : 4;
    context.fillStyle = context.strokeStyle;
    for (const point of points) {
      if (!point) continue;
      context.beginPath();
      context.arc(point[0], point[1], radius, 0, 2 * Math.PI);
      // One that is hidden is a ring.
      context[point[2] === 1 ? "stroke" : "fill"]();
    }
  }

  #label(context, box, x, y, { width }) {
    const name = this.classes.get(box.class)?.name ?? `#${box.class}`;
    const words = box.score === undefined || box.score === null ? name : `${name} ${figure(box.score, 2)}`;
    const wide = context.measureText(words).width + 8;
    const labelX = Math.max(0, Math.min(x - 1, width - wide));
    const labelY = y >= 16 ? y - 16 : y;
    context.fillStyle = context.strokeStyle;
    context.fillRect(labelX, labelY, wide, 16);
    context.fillStyle = "#08111f";
    context.fillText(words, labelX + 4, labelY + 3);
  }

  #point(event) {
    const { left, top, scale } = this.place();
    const frame = this.root.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left - left) / scale, (event.clientY - frame.top - top) / scale];
    let best = -1;
    let area = Infinity;
    this.boxes.forEach(({ bbox }, index) => {
      if (!bbox || !isShown(this.boxes[index], this.view)) return;
      const [bx, by, w, h] = bbox;
      if (x < bx || y < by || x > bx + w || y > by + h || w * h >= area) return;
      best = index;
      area = w * h;
    });
    this.setHover(best);
  }

  /** Draws one object more strongly than the others; -1 for none. @param {number} index */
  setHover(index) {
    if (index === this.hover) return;
    this.hover = index;
    this.draw();
    this.root.dispatchEvent(new CustomEvent("boxes:hover", { detail: index }));
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
