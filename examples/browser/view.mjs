// Which part of the plane is shown.

const FEWEST_FLOATS = 32; // across a view: float32 has no finer numbers

export function wholeView(features, [x, y]) {
  return { x: [features[x].low, features[x].high], y: [features[y].low, features[y].high] };
}

/** The view made `factor` times as wide, around a point. */
export function zoomed({ x, y }, [atX, atY], factor) {
  return around([atX, atY], [((x[1] - x[0]) * factor) / 2, ((y[1] - y[0]) * factor) / 2]);
}

/** The view that reaches so far from a point on both sides. */
export function around(point, reaches) {
  const [x, y] = point.map((value, index) => {
    const reach = Math.max(reaches[index], leastReach(value));
    return [value - reach, value + reach];
  });
  return { x, y };
}

const leastReach = (value) => Math.max(Math.abs(value) * 2 ** -24, 2 ** -120) * FEWEST_FLOATS;

/** The view with the point in it: moved only as far as that needs, and made wider where float32 has no finer numbers. */
export function holding({ x, y }, point) {
  const [newX, newY] = [x, y].map(([low, high], index) => {
    const least = leastReach(point[index]);
    if (high - low < 2 * least) return [point[index] - least, point[index] + least];
    const by = Math.max(0, point[index] - high) + Math.min(0, point[index] - low);
    return [low + by, high + by];
  });
  return { x: newX, y: newY };
}
