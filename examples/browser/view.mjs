// Which part of the plane, or of a curve's one number, is shown: `{x: [low, high]}`, of a plane `y` as well.

const SIDES = ["x", "y"];
const FEWEST_FLOATS = 32; // across a view: float32 has no finer numbers

const mapped = (view, change) =>
  Object.fromEntries(Object.entries(view).map(([side, ends]) => [side, change(ends, SIDES.indexOf(side))]));

export function wholeView(features, axes) {
  return Object.fromEntries(axes.map((axis, side) => [SIDES[side], [features[axis].low, features[axis].high]]));
}

/** The view made `factor` times as wide, around a point that comes to its middle. */
export function zoomed(view, at, factor) {
  const reaches = mapped(view, ([low, high]) => ((high - low) * factor) / 2);
  return around(at, Object.values(reaches));
}

/** The view made `factor` times as wide, around a point that stays where it is on the screen. */
export function zoomedAt(view, at, factor) {
  return mapped(view, ([low, high], side) => {
    if (factor < 1 && (high - low) * factor < 2 * leastReach(at[side])) return [low, high];
    return [at[side] - (at[side] - low) * factor, at[side] + (high - at[side]) * factor];
  });
}

/** The view moved by shares of its width and height. */
export function panned(view, shares) {
  return mapped(view, (ends, side) => ends.map((end) => end + shares[side] * (ends[1] - ends[0])));
}

/** The view that reaches so far from a point on both sides. */
export function around(point, reaches) {
  const ends = point.map((value, index) => {
    const reach = Math.max(reaches[index], leastReach(value));
    return [SIDES[index], [value - reach, value + reach]];
  });
  return Object.fromEntries(ends);
}

const leastReach = (value) => Math.max(Math.abs(value) * 2 ** -24, 2 ** -120) * FEWEST_FLOATS;

/** The view with the point in it: moved only as far as that needs, and made wider where float32 has no finer numbers. */
export function holding(view, point) {
  return mapped(view, ([low, high], side) => {
    const least = leastReach(point[side]);
    if (high - low < 2 * least) return [point[side] - least, point[side] + least];
    const by = Math.max(0, point[side] - high) + Math.min(0, point[side] - low);
    return [low + by, high + by];
  });
}
