// Mouse, touch and keys on the plane.

const STEP = 0.01; // of the view
const LEAP = 0.1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ZOOMS = { "+": 0.25, "=": 0.25, "-": 4 };
const CLICK = 5; // pixels that a pointer may move and still be a click
const WHEEL = 0.0015; // of zoom, for each pixel that a wheel turns
const PINCH = 0.01; // the same of a trackpad's pinch, which browsers tell as a wheel with Ctrl
const LINE = 16; // pixels of a line, which some wheels turn by

/**
 * Calls `onHover([x, y] or null)`, `onKeep([x, y])` after a click, `onPan([x, y])` and `onMove([x, y])` in shares of the
 * view, `onZoomAt([x, y], factor)` of a wheel or a pinch, `onZoom(factor)` and `onWhole()` of keys, until `signal`.
 */
export function listen(canvas, frame, { signal, ...calls }) {
  const on = (name, handle, options) => canvas.addEventListener(name, handle, { signal, ...options });
  const gesture = new Gesture(canvas, frame, calls);
  on("pointerdown", (event) => gesture.down(event));
  on("pointermove", (event) => gesture.move(event));
  on("pointerup", (event) => gesture.up(event));
  on("pointercancel", (event) => gesture.cancel(event));
  on("pointerleave", () => calls.onHover(null));
  on("wheel", (event) => turn(event, gesture, calls), { passive: false });
  // One finger may scroll the page; with two, the browser would take the pinch.
  const keep = (event) => event.touches.length > 1 && event.preventDefault();
  on("touchstart", keep, { passive: false });
  on("touchmove", keep, { passive: false });
  on("keydown", (event) => press(event, calls));
}

class Gesture {
  #down = new Map(); // where each pointer that is down is, in pixels of the canvas
  #start = null; // where a click began; null once it is none

  constructor(canvas, frame, calls) {
    Object.assign(this, { canvas, frame, calls });
  }

  pixel({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  place([x, y]) {
    const { left, right, top, bottom, fromX, fromY } = this.frame();
    return [fromX(Math.min(right, Math.max(left, x))), fromY(Math.min(bottom, Math.max(top, y)))];
  }

  down(event) {
    if (event.button !== 0 || !this.frame()) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, this.pixel(event));
    this.#start = this.#down.size === 1 ? this.pixel(event) : null;
  }

  move(event) {
    if (!this.frame()) return;
    const at = this.pixel(event);
    if (!this.#down.has(event.pointerId)) {
      if (event.pointerType !== "touch") this.calls.onHover(this.place(at));
      return;
    }
    if (this.#start && Math.hypot(at[0] - this.#start[0], at[1] - this.#start[1]) < CLICK) return;
    this.#start = null;
    const before = this.#middle();
    const width = this.#spread();
    this.#down.set(event.pointerId, at);
    this.#pan(before, this.#middle());
    if (this.#down.size > 1 && this.#spread() > 0)
      this.calls.onZoomAt(this.place(this.#middle()), width / this.#spread());
  }

  up(event) {
    const kept = this.#start && this.#down.has(event.pointerId);
    this.cancel(event);
    if (kept) this.calls.onKeep(this.place(this.pixel(event)));
  }

  cancel(event) {
    this.#down.delete(event.pointerId);
    this.#start = null;
  }

  #pan(from, to) {
    const { left, right, top, bottom } = this.frame();
    this.calls.onPan([(from[0] - to[0]) / (right - left), (to[1] - from[1]) / (bottom - top)]);
  }

  #middle() {
    const places = [...this.#down.values()];
    return [0, 1].map((side) => places.reduce((sum, place) => sum + place[side], 0) / places.length);
  }

  // How far apart two fingers are.
  #spread() {
    const [one, other = one] = [...this.#down.values()];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  }
}

function turn(event, gesture, { onZoomAt }) {
  if (!gesture.frame()) return;
  event.preventDefault();
  const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
  onZoomAt(gesture.place(gesture.pixel(event)), Math.exp(pixels * (event.ctrlKey ? PINCH : WHEEL)));
}

function press(event, { onMove, onZoom, onWhole }) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? LEAP : STEP;
  if (event.key in ARROWS) onMove(ARROWS[event.key].map((direction) => direction * step));
  else if (event.key in ZOOMS) onZoom(ZOOMS[event.key]);
  else if (event.key === "0") onWhole();
  else return;
  event.preventDefault();
}
