// Where the plane stands on the canvas, and its axes.

const MARGIN = { left: 52, right: 8, top: 8, bottom: 44 };
const SMALLEST_STEP = 0.001; // that is written without a power of ten
const LARGEST_POWER = 4;
const OFFSET_BELOW = 1e-3; // a view narrower than this share of its values is labelled by its middle and offsets

/** The plot's rectangle, and the way between values and pixels (in CSS pixels). */
export function frameOf(width, height, view) {
  const left = MARGIN.left,
    top = MARGIN.top;
  const right = width - MARGIN.right,
    bottom = height - MARGIN.bottom;
  const to =
    ([low, high], start, end) =>
    (value) =>
      start + ((value - low) / (high - low)) * (end - start);
  const from =
    ([low, high], start, end) =>
    (pixel) =>
      low + ((pixel - start) / (end - start)) * (high - low);
  return {
    left,
    top,
    right,
    bottom,
    toX: to(view.x, left, right),
    toY: to(view.y, bottom, top),
    fromX: from(view.x, left, right),
    fromY: from(view.y, bottom, top),
  };
}

export function drawAxes(context, frame, view, names, colors) {
  context.font = `12px ${colors.font}`;
  context.strokeStyle = colors.line;
  context.strokeRect(frame.left - 0.5, frame.top - 0.5, frame.right - frame.left + 1, frame.bottom - frame.top + 1);
  const [x, y] = [scale(view.x), scale(view.y)];
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const { value, text } of x.ticks) label(context, text, frame.toX(value), frame.bottom + 7, colors.muted);
  label(context, names[0] + x.suffix, (frame.left + frame.right) / 2, frame.bottom + 25, colors.ink);
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const { value, text } of y.ticks) label(context, text, frame.left - 7, frame.toY(value), colors.muted);
  context.save();
  context.translate(9, (frame.top + frame.bottom) / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = "center";
  label(context, names[1] + y.suffix, 0, 0, colors.ink);
  context.restore();
}

function label(context, text, x, y, color) {
  context.fillStyle = color;
  context.fillText(text, x, y);
}

// Ticks at 1, 2 or 5 times a power of ten. Where all of them begin alike, only what differs is written; where they are
// tiny or huge, their power of ten stands at the axis.
function scale([low, high]) {
  const middle = (low + high) / 2;
  const near = high - low < OFFSET_BELOW * Math.abs(middle);
  const base = near ? Number(middle.toPrecision(6)) : 0;
  const step = niceStep((high - low) / 6);
  const power = Math.floor(Math.log10(Math.max(Math.abs(low - base), Math.abs(high - base))));
  const unit = step < SMALLEST_STEP || power > LARGEST_POWER ? 10 ** power : 1;
  const first = Math.ceil((low - base) / step);
  const count = Math.floor((high - base) / step) - first + 1;
  const ticks = Array.from({ length: count }, (_, index) => {
    const offset = (first + index) * step;
    return { value: base + offset, text: tickText(offset / unit) };
  });
  return {
    ticks,
    suffix:
      (near ? ` ${base < 0 ? "+" : "\u2212"} ${Math.abs(base)}` : "") +
      (unit === 1 ? "" : `, in ${unit.toExponential(0)}`),
  };
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function tickText(value) {
  return String(Number(value.toPrecision(6))).replace("-", "\u2212");
}
