// The plane of two numbers that is painted, or the one number of a curve, and the predictions of the model there.

import { hasProbabilities, isMultilabel } from "./one_label.mjs";
import { MISSING_TIMESTAMP, isText, rowFeatures, trainingRange } from "./reader.mjs";

const ARRAYS = { float32: Float32Array, int64: BigInt64Array, string: Array };

/**
 * Returns `{inputs, features, numbers, classifier, labels}`: the graph's inputs; the features, each with the value that it
 * has at first and its `range` in training, those with numbers also with the `low` and `high` that are painted; the places
 * of these; whether it gives probabilities, and the output that it decides with. Or `{problem}`, why there is no plane.
 * Where the contract knows no range, the extremes of the test vectors' inputs are painted.
 */
export function planeOf(contract, testVectors) {
  const problem = whyNone(contract);
  if (problem) return { problem };
  const features = rowFeatures(contract).map((feature) => {
    const known = { ...feature, range: trainingRange(feature) };
    return feature.kind === "numeric"
      ? { ...known, ...extentOf(feature, testVectors.ordinary.inputs[feature.input]) }
      : { ...known, value: firstValue(known) };
  });
  return {
    inputs: contract.inputs,
    features,
    numbers: numbersOf(features),
    classifier: hasProbabilities(contract),
    labels: isMultilabel(contract) ? "labels" : "label",
  };
}

const numbersOf = (features) => features.flatMap(({ kind }, index) => (kind === "numeric" ? [index] : []));

function whyNone(contract) {
  if (!hasProbabilities(contract) && contract.task !== "regression")
    return "This model gives a row no class, label or number: there is nothing to paint.";
  const width = ({ name }) => contract.features.filter(({ input }) => input === name).length;
  if (
    !contract.inputs.every((spec) => spec.dtype in ARRAYS && spec.shape.length === 2 && spec.shape[1] === width(spec))
  )
    return "This model does not take the rows of a table: there is nothing to paint.";
  if (numbersOf(contract.features).length < 1) return "This model takes no numbers: there is nothing to paint.";
  if (!contract.row_independent)
    return "The rows of a batch influence one another: the picture needs each point predicted by itself.";
}

// The range of training, widened by a quarter on both sides.
function extentOf({ low, high, index }, { data, dims }) {
  const inputs = Array.from(data).filter((cell, at) => at % dims[1] === index && Number.isFinite(cell));
  const from = low ?? Math.min(...inputs, ...(inputs.length ? [] : [0]));
  const to = high ?? Math.max(...inputs, ...(inputs.length ? [] : [1]));
  const margin = (to - from) / 4 || Math.abs(from) / 4 || 1;
  return { low: from - margin, high: to + margin, value: Math.fround(((from + to) / 2).toPrecision(4)) };
}

function firstValue(feature) {
  if (isText(feature)) return feature.categories[0] ?? "";
  if (feature.kind === "boolean") return 0;
  return feature.range ? BigInt(Math.floor((feature.range[0] + feature.range[1]) / 2)) : MISSING_TIMESTAMP;
}

/**
 * Returns `predict(points, slice)`: the outputs of the model, and of its certified graph if any, for points of the plane
 * (`rowsAt`).
 */
export function predictor(plane, { default: model, certified: certifiedModel }) {
  const wanted = plane.classifier ? "certified" : "error_bound";
  return async (points, slice) => {
    const inputs = rowsAt(plane, points, slice);
    const { [plane.labels]: labels, probabilities, logits, value } = await model.run(inputs);
    const certificate = certifiedModel && (await certifiedModel.run(inputs, [wanted]))[wanted].data;
    if (!plane.classifier) return { values: value.data, bounds: certificate };
    return {
      labels: Array.from(labels.data, Number),
      probabilities: probabilities.data,
      logits: logits.data,
      certified: certificate,
    };
  };
}

/** The graph's inputs for points `[[x, y], ...]`, of a curve `[[x], ...]`, of the plane through `point` along its axes. */
function rowsAt({ inputs, features }, points, { point, axes }) {
  const tensors = {};
  for (const { name, dtype, shape } of inputs) {
    const dims = [points.length, shape[1]];
    tensors[name] = { type: dtype, dims, data: new ARRAYS[dtype](points.length * shape[1]) };
  }
  features.forEach(({ input, index }, place) => {
    const { data, dims } = tensors[input];
    const side = axes.indexOf(place);
    for (let row = 0; row < points.length; row++)
      data[row * dims[1] + index] = side < 0 ? point[place] : points[row][side];
  });
  return tensors;
}

/** The row of a batch of inputs, a value for each feature. */
export function rowOf({ features }, inputs, row) {
  return features.map(({ input, index }) => inputs[input].data[row * inputs[input].dims[1] + index]);
}
