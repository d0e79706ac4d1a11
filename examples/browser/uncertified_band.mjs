// Looks for the band along the boundary in which no label is certified: it is far thinner than a pixel.

const PIECES = 64;
const ROUNDS = 6; // 64^6 pieces are finer than any float32
const HALVINGS = 30;

/**
 * Narrows the segment between two points with different labels down to the boundary, and returns it with how far the
 * band reaches from it along that axis: `{center, axis, reach}`; null where every float32 beside it is certified.
 * `predict(points)` predicts points of the plane.
 */
export async function findBand(predict, one, other) {
  const axis = one[0] === other[0] ? 1 : 0;
  const length = Math.abs(other[axis] - one[axis]);
  const center = await narrow(predict, one, other);
  const halves = Array.from({ length: HALVINGS }, (_, index) => length / 2 ** index);
  const about = await farthest(predict, center, axis, halves);
  if (about === undefined) return null;
  const finer = Array.from({ length: PIECES }, (_, index) => about * (2 - index / PIECES));
  return { center, axis, reach: (await farthest(predict, center, axis, finer)) ?? about };
}

// The first of descending steps that is not certified on one side or the other.
async function farthest(predict, center, axis, steps) {
  const beside = (step) => center.map((value, index) => (index === axis ? value + step : value));
  const { certified } = await predict(steps.flatMap((step) => [beside(-step), beside(step)]));
  return steps.find((_, index) => !certified[2 * index] || !certified[2 * index + 1]);
}

async function narrow(predict, one, other) {
  for (let round = 0; round < ROUNDS; round++) {
    const points = Array.from({ length: PIECES + 1 }, (_, index) => between(one, other, index / PIECES));
    const { labels } = await predict(points);
    const change = labels.findIndex((label) => label !== labels[0]);
    if (change < 0) break; // both ends are the same float32
    [one, other] = [points[change - 1], points[change]];
  }
  return between(one, other, 0.5);
}

const between = (one, other, share) => one.map((value, index) => value + (other[index] - value) * share);
