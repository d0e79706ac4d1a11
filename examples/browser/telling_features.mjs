// Which numbers change the outputs most: the first axes.

const PLACES = 17; // over a feature's range
const SWEEPS = 96; // in all: a model with more features has fewer each

/**
 * Returns the places of the two numbers (or the one) that change the outputs most, in the order of the features: each is
 * moved over its range in training while the others stay as they are in `points`, and the changes are averaged.
 */
export async function tellingAxes({ features, numbers }, points, predict) {
  if (numbers.length <= 2) return numbers;
  const started = [features.map(({ value }) => value), ...points];
  const bases = started.slice(0, Math.max(1, Math.floor(SWEEPS / numbers.length)));
  const scored = [];
  for (const axis of numbers) {
    const change = await changeAlong(features[axis], axis, bases, predict);
    scored.push({ axis, change });
  }
  scored.sort((one, other) => other.change - one.change || one.axis - other.axis);
  return scored
    .slice(0, 2)
    .map(({ axis }) => axis)
    .sort((one, other) => one - other);
}

async function changeAlong({ low, high, range }, axis, bases, predict) {
  const [from, to] = range ?? [low, high];
  const line = Array.from({ length: PLACES }, (_, at) => [from + ((to - from) * at) / (PLACES - 1)]);
  let sum = 0;
  for (const point of bases) {
    const { probabilities, values } = await predict(line, { point, axes: [axis] });
    sum += largestChange(probabilities ?? values);
  }
  return sum;
}

// Of the outputs of a line's rows, the one that changes most; what is not finite says nothing.
function largestChange(outputs) {
  const width = outputs.length / PLACES;
  const ranges = Array.from({ length: width }, (_, place) => {
    const along = outputs.filter((value, at) => at % width === place && Number.isFinite(value));
    return along.length ? Math.max(...along) - Math.min(...along) : 0;
  });
  return Math.max(0, ...ranges);
}
