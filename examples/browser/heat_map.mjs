// The heat map of a regression over two numbers: one target's value as colour.

import { cells, pixels } from "./drawing.mjs";
import { rampColor } from "./palette.mjs";

/** The picture of a regression over two numbers. */
export const heatMap = {
  most: 200, // cells across
  grid: cells,
  read({ values, bounds }, { contract, view, size, target }) {
    const width = contract.targets.length;
    const shown = values.filter((_, at) => at % width === target);
    return { view, size, shown, bounds, ...extremes(shown) };
  },
  draw(context, { left, top, right, bottom }, { shown, size, low, high }) {
    const image = pixels(size, (cell) =>
      Number.isFinite(shown[cell]) ? rampColor(share(shown[cell], low, high)) : null,
    );
    context.drawImage(image, left, top, right - left, bottom - top);
  },
  points: (points, [x, y], { low, high, target }) =>
    points.map(({ point, values }) => {
      const [red, green, blue] = rampColor(share(values[target], low, high));
      return { x: point[x], y: point[y], color: `rgb(${red} ${green} ${blue})` };
    }),
};

/** The least and the largest finite number; 0 and 1 where there is none. */
export function extremes(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? { low, high } : { low: 0, high: 1 };
}

const share = (value, low, high) => (high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5);
