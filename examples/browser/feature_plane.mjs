// The plane of two features that is painted, and the predictions of the model on it.

import { columns, isClassifier, trainingRange } from "./reader.mjs";

/**
 * Returns `{input, features}`, each feature with the `low` and `high` that are painted, its `middle`, and its `range` in
 * training; or `{problem}`, why there is no plane.
 * Where the contract knows no range, the extremes of the test vectors' inputs are painted.
 */
export function planeOf(contract, testVectors) {
  const problem = whyNone(contract);
  if (problem) return { problem };
  const [{ name: input }] = contract.inputs;
  const { data } = testVectors.ordinary.inputs[input];
  const features = columns(contract).map((feature) => ({
    name: feature.name,
    range: trainingRange(feature),
    ...extentOf(feature, data, contract.features.length),
  }));
  return { input, features };
}

function whyNone(contract) {
  const [{ dtype, shape }] = contract.inputs;
  if (contract.task === "regression")
    return "This model is a regression: it has no classes, and so no boundary to paint.";
  if (!isClassifier(contract)) return "This model returns tensors, not classes: there is no boundary to paint.";
  if (
    contract.inputs.length > 1 ||
    shape.length !== 2 ||
    dtype !== "float32" ||
    contract.features.length !== shape[1]
  ) {
    return "This model does not take the rows of a table: there is no plane to paint.";
  }
  if (contract.features.length < 2) return "This model takes one feature: there is no plane to paint.";
  if (!contract.row_independent) return "The rows of a batch influence one another: points cannot be painted at once.";
}

// The range of training, widened by a quarter on both sides.
function extentOf({ low, high, index }, data, width) {
  const inputs = Array.from(data).filter((_, at) => at % width === index);
  const from = low ?? Math.min(...inputs);
  const to = high ?? Math.max(...inputs);
  const margin = (to - from) / 4 || Math.abs(from) / 4 || 1;
  return { low: from - margin, high: to + margin, middle: Number(((from + to) / 2).toPrecision(4)) };
}

/** Returns `predict(rows)`: the outputs of the model, and of its certified graph if any, for rows of features, flat. */
export function predictor({ input, features }, { default: model, certified: certifiedModel }) {
  return async (data) => {
    const inputs = { [input]: { type: "float32", dims: [data.length / features.length, features.length], data } };
    const { label, probabilities, logits } = await model.run(inputs);
    const certified = certifiedModel && (await certifiedModel.run(inputs, ["certified"])).certified.data;
    return {
      labels: Array.from(label.data, Number),
      probabilities: probabilities.data,
      logits: logits.data,
      certified,
    };
  };
}

/** Rows for points `[[x, y], ...]` of the plane through `point` along two of its features. */
export function rowsAt(points, { point, axes: [x, y] }) {
  const rows = new Float32Array(points.length * point.length);
  points.forEach((found, at) => {
    rows.set(point, at * point.length);
    rows[at * point.length + x] = found[0];
    rows[at * point.length + y] = found[1];
  });
  return rows;
}

/** The centres of size x size cells over a view `{x: [low, high], y: [low, high]}`, row by row from the top. */
export function cells({ x, y }, size) {
  const at = ([low, high], index) => low + ((high - low) * (index + 0.5)) / size;
  return Array.from({ length: size * size }, (_, cell) => [
    at(x, cell % size),
    at(y, size - 1 - Math.floor(cell / size)),
  ]);
}
