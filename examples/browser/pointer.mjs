// Mouse, touch and keys on the plane.

const STEP = 0.01; // of the view
const LEAP = 0.1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const ZOOMS = { "+": 0.25, "=": 0.25, "-": 4 };

/** Calls `onHover([x, y] or null)`, `onKeep([x, y])`, `onMove([x, y])` in shares of the view, `onZoom(factor)`, `onWhole()`. */
export function listen(canvas, frame, { onHover, onKeep, onMove, onZoom, onWhole }) {
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const { left, right, top, bottom, fromX, fromY } = frame();
    const x = Math.min(right, Math.max(left, event.clientX - box.left));
    const y = Math.min(bottom, Math.max(top, event.clientY - box.top));
    return [fromX(x), fromY(y)];
  };
  canvas.addEventListener("pointermove", (event) => (event.buttons ? onKeep : onHover)(place(event)));
  canvas.addEventListener("pointerleave", () => onHover(null));
  canvas.addEventListener("pointerdown", (event) => event.button === 0 && onKeep(place(event)));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? LEAP : STEP;
    if (event.key in ARROWS) onMove(ARROWS[event.key].map((direction) => direction * step));
    else if (event.key in ZOOMS) onZoom(ZOOMS[event.key]);
    else if (event.key === "0") onWhole();
    else return;
    event.preventDefault();
  });
}
