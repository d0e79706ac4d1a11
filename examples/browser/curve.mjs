// Curves over one number: a regression's target, or the probability of each class.

import { clip } from "./drawing.mjs";
import { extremes } from "./heat_map.mjs";
import { classColor } from "./palette.mjs";

const MARGIN = 0.06; // of the height, above and below a regression's curve

/** The picture of a model over one number. */
export const curve = {
  most: 512, // places along it
  grid: ({ x: [low, high] }, size) => Array.from({ length: size }, (_, at) => [low + ((high - low) * at) / (size - 1)]),
  read({ values, probabilities, labels, certified }, { contract, view, size, target }) {
    const all = values ?? probabilities;
    const width = all.length / size;
    const places = values ? [target] : contract.classes.map((_, place) => place);
    const curves = places.map((place) => all.filter((_, at) => at % width === place));
    const uncertified = Boolean(certified?.includes(0));
    const y = values ? heightOf(curves[0]) : [-0.03, 1.03];
    return { view: { x: view.x, y }, size, curves, labels, uncertified };
  },
  draw(context, frame, { view, curves, size }) {
    const column = (at) => frame.toX(view.x[0] + ((view.x[1] - view.x[0]) * at) / (size - 1));
    clip(context, frame, () =>
      curves.forEach((heights, place) => stroke(context, frame, heights, column, classColor(place))),
    );
  },
  /** A regression's test vectors stand where their value is. */
  points: (points, [x], { target }) =>
    points.flatMap(({ point, values }) => (values ? [{ x: point[x], y: values[target], color: classColor(0) }] : [])),
};

/** How high the curves are at a place, by the nearest that was computed. */
export function heightsAt({ view: { x }, curves, size }, value) {
  const at = Math.round(((value - x[0]) / (x[1] - x[0])) * (size - 1));
  return curves.map((heights) => heights[Math.min(size - 1, Math.max(0, at))]).filter(Number.isFinite);
}

function heightOf(heights) {
  const { low, high } = extremes(heights);
  const margin = (high - low) * MARGIN || Math.abs(low) * MARGIN || 1;
  return [low - margin, high + margin];
}

function stroke(context, { toY }, heights, column, color) {
  context.strokeStyle = color;
  context.lineWidth = 2.5;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  heights.forEach((height, at) => {
    if (!Number.isFinite(height)) drawing = false;
    else if (drawing) context.lineTo(column(at), toY(height));
    else context.moveTo(column(at), toY(height));
    drawing = Number.isFinite(height);
  });
  context.stroke();
}
