/**
 * A picture to look at closely. Root: `[data-viewer='<id of the dataset>']` around one `.viewer-stage[data-boxes]` (boxes.js);
 * [data-original] of the stage is the address of the file itself, which takes the place of the small copy as somebody looks
 * closer. Within the root: [data-zoom=in|out|fit], [data-zoom-level], checkboxes [data-layer=names|<part>|class-<id>], rows
 * [data-object=<index>], links [rel=prev] and [rel=next]. What is hidden stays so from picture to picture of the dataset.
 */
import { layerOf } from "./boxes.js";
import { isTyping } from "./dom.js";
import { count } from "./format.js";

const STEP = 1.5;
const CLOSEST = 32;
/** From so many pixels of the page for one of the picture, its pixels are shown as squares. */
const SQUARES = 4;
const MOVE = 60;
/** Shift and an arrow: towards what lies there, so the picture goes the other way. */
const WAYS = { ArrowLeft: [MOVE, 0], ArrowRight: [-MOVE, 0], ArrowUp: [0, MOVE], ArrowDown: [0, -MOVE] };

/** @param {number} value @param {number} low @param {number} high */
const within = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Closer by a factor while a point of the frame stays where it is; never farther than the whole picture, whose frame is
 * never left.
 * @param {{scale: number, x: number, y: number}} from
 * @param {number} factor @param {[number, number]} point @param {[number, number]} frame its width and height
 */
export function zoomed(from, factor, [px, py], frame) {
  const scale = within(from.scale * factor, 1, CLOSEST);
  const grown = scale / from.scale;
  return held({ scale, x: px - (px - from.x) * grown, y: py - (py - from.y) * grown }, frame);
}

/** The same, moved so far that the frame is full. @param {{scale: number, x: number, y: number}} at @param {[number, number]} frame */
export function held({ scale, x, y }, [width, height]) {
  return { scale, x: within(x, width * (1 - scale), 0), y: within(y, height * (1 - scale), 0) };
}

/** The same part of the picture in a frame of another size. @param {{scale: number, x: number, y: number}} at @param {[number, number]} from @param {[number, number]} to */
export function resized({ scale, x, y }, from, to) {
  return { scale, x: from[0] ? (x * to[0]) / from[0] : 0, y: from[1] ? (y * to[1]) / from[1] : 0 };
}

class Viewer {
  /** @param {HTMLElement} root @param {HTMLElement} stage */
  constructor(root, stage) {
    this.root = root;
    this.stage = stage;
    this.layer = layerOf(stage);
    this.pointers = new Map();
    this.memory = `viewer:${root.dataset.viewer}`;
    this.#startLayers();
    this.#startRows();
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.#closer(this.layer.closer.scale > 1 ? 0 : 3, this.#at(event)));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.#closer({ in: STEP, out: 1 / STEP, fit: 0 }[button.dataset.zoom]));
    }
    document.addEventListener("keydown", (event) => this.#key(event));
    this.drawn = this.#frame;
    new ResizeObserver(() => this.#resized()).observe(stage);
  }

  get #frame() {
    return [this.stage.clientWidth, this.stage.clientHeight];
  }

  /** In a frame of another size the same part of the picture is seen. */
  #resized() {
    const frame = this.#frame;
    if (!frame[0] || !frame[1]) return;
    this.#show(held(resized(this.layer.closer, this.drawn, frame), frame));
    this.drawn = frame;
  }

  /** Where a pointer is in the frame. */
  #at({ clientX, clientY }) {
    const { left, top } = this.stage.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  /** @param {number} factor 0: the whole picture @param {[number, number]} [point] the middle without it */
  #closer(factor, point) {
    const [width, height] = this.#frame;
    this.#show(zoomed(this.layer.closer, factor, point ?? [width / 2, height / 2], [width, height]));
  }

  #move(dx, dy) {
    const { scale, x, y } = this.layer.closer;
    this.#show(held({ scale, x: x + dx, y: y + dy }, this.#frame));
  }

  #show(closer) {
    this.layer.closer = closer;
    const { scale, x, y } = closer;
    this.layer.image.style.transform = scale > 1 ? `translate(${x}px, ${y}px) scale(${scale})` : "";
    this.stage.classList.toggle("is-closer", scale > 1);
    const shown = this.layer.place().scale;
    this.stage.classList.toggle("is-pixelated", shown >= SQUARES && "isOriginal" in this.stage.dataset);
    const level = this.root.querySelector("[data-zoom-level]");
    if (level) level.textContent = `${count(Math.round(shown * 100))} %`;
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.disabled = button.dataset.zoom === "in" ? scale >= CLOSEST : scale <= 1;
    }
    if (scale > 1) this.#fetchOriginal();
    this.layer.draw();
  }

  /** The file itself in the place of its small copy, where it is the same upright picture. */
  #fetchOriginal() {
    const address = this.stage.dataset.original;
    if (!address) return;
    delete this.stage.dataset.original;
    const original = new Image();
    original.addEventListener("load", () => {
      const [width, height] = this.layer.size;
      if (original.naturalWidth !== width || original.naturalHeight !== height) return;
      this.layer.image.src = address;
      this.stage.dataset.isOriginal = "";
      this.#show(this.layer.closer);
    });
    original.src = address;
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#closer(Math.exp(-event.deltaY * 0.01), this.#at(event));
  }

  #down(event) {
    if (event.button) return;
    this.pointers.set(event.pointerId, this.#at(event));
    if (this.layer.closer.scale > 1 || this.pointers.size > 1) this.stage.setPointerCapture(event.pointerId);
  }

  /** One pointer moves the picture, two change how close it is and move it by their middle. */
  #drag(event) {
    const from = this.pointers.get(event.pointerId);
    if (!from) return;
    const to = this.#at(event);
    this.pointers.set(event.pointerId, to);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return this.#move(to[0] - from[0], to[1] - from[1]);
    const apart = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    this.#closer(apart(to) / apart(from), [(to[0] + other[0]) / 2, (to[1] + other[1]) / 2]);
    this.#move((to[0] - from[0]) / 2, (to[1] - from[1]) / 2);
  }

  #key(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const isBox = event.target instanceof HTMLInputElement && event.target.type === "checkbox";
    if ((isTyping(event.target) && !isBox) || document.querySelector(".modal.show, .dropdown-menu.show")) return;
    const act = event.shiftKey && WAYS[event.key] ? () => this.#move(...WAYS[event.key]) : this.#acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  get #acts() {
    const press = (selector) => () => this.root.querySelector(selector)?.click();
    return {
      arrowleft: press("[rel=prev]"),
      arrowright: press("[rel=next]"),
      l: press("[data-boxes-toggle]"),
      "+": () => this.#closer(STEP),
      "=": () => this.#closer(STEP),
      "-": () => this.#closer(1 / STEP),
      0: () => this.#closer(0),
    };
  }

  #startLayers() {
    const boxes = [...this.root.querySelectorAll("[data-layer]")];
    const remembered = new Set(JSON.parse(sessionStorage.getItem(this.memory) || "[]"));
    for (const box of boxes) {
      box.checked = !remembered.has(box.dataset.layer);
      box.addEventListener("change", () => {
        // What this picture has no box for stays as it was.
        remembered[box.checked ? "delete" : "add"](box.dataset.layer);
        sessionStorage.setItem(this.memory, JSON.stringify([...remembered]));
        this.layer.set({ hidden: new Set(remembered) });
      });
    }
    this.layer.set({ hidden: new Set(remembered) });
    for (const swatch of this.root.querySelectorAll("[data-class-color]")) {
      swatch.style.background = this.layer.colorOf({ class: Number(swatch.dataset.classColor) });
    }
  }

  /** A row of the list points at its object, an object at its row. */
  #startRows() {
    const rows = [...this.root.querySelectorAll("[data-object]")];
    for (const row of rows) {
      row.addEventListener("pointerenter", () => this.layer.setHover(Number(row.dataset.object)));
      row.addEventListener("pointerleave", () => this.layer.setHover(-1));
    }
    this.stage.addEventListener("boxes:hover", ({ detail }) => {
      rows.forEach((row, index) => row.classList.toggle("is-pointed", index === detail));
    });
  }
}

if (typeof document !== "undefined") {
  for (const root of document.querySelectorAll("[data-viewer]")) {
    const stage = root.querySelector(".viewer-stage");
    if (stage) new Viewer(root, stage);
  }
}
