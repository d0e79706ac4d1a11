// Which numbers change the outputs most: the first axes.

const PLACES = 17; // over a feature's range
const SWEEPS = 96; // in all: a model with more features has fewer each

/**
 * Returns the places of the two numbers (or the one) that change the outputs most, in the order of the features: each is
 * moved over its range in training while the others stay as they are in `points`, and the changes are added up. Every
 * target of a regression counts alike, whatever its unit.
 */
export async function tellingAxes({ features, numbers }, points, predict) {
  if (numbers.length <= 2) return numbers;
  const started = [features.map(({ value }) => value), ...points];
  const bases = started.slice(0, Math.max(1, Math.floor(SWEEPS / numbers.length)));
  const moved = [];
  for (const axis of numbers) moved.push({ axis, ...(await changesAlong(features[axis], axis, bases, predict)) });
  const units = moved[0].changes.map((_, output) => Math.max(...moved.map(({ changes }) => changes[output])));
  const score = ({ changes, inUnits }) =>
    changes.reduce((sum, change, output) => sum + (inUnits && units[output] > 0 ? change / units[output] : change), 0);
  moved.sort((one, other) => score(other) - score(one) || one.axis - other.axis);
  return moved
    .slice(0, 2)
    .map(({ axis }) => axis)
    .sort((one, other) => one - other);
}

// How far each output changes along one feature, and whether every output has a unit of its own.
async function changesAlong({ low, high, range }, axis, bases, predict) {
  const [from, to] = range ?? [low, high];
  const line = Array.from({ length: PLACES }, (_, at) => [from + ((to - from) * at) / (PLACES - 1)]);
  const along = [];
  for (const point of bases) along.push(await predict(line, { point, axes: [axis] }));
  const spans = along.map(({ probabilities, values }) => spansOf(probabilities ?? values));
  const changes = spans[0].map((_, output) => spans.reduce((sum, span) => sum + span[output], 0));
  return { changes, inUnits: Boolean(along[0].values) };
}

// The span of each output over a line's rows; what is not finite says nothing.
function spansOf(outputs) {
  return Array.from({ length: outputs.length / PLACES }, (_, place) => {
    const along = outputs.filter((value, at) => at % (outputs.length / PLACES) === place && Number.isFinite(value));
    return along.length ? Math.max(...along) - Math.min(...along) : 0;
  });
}
