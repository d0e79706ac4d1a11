// Predictions for rows, as Python's Predictor has them.

import { isClassifier, rowFeatures } from "./contract.mjs";
import { InputError } from "./errors.mjs";
import { NO_FINITE_OUTPUT, firstNonFiniteRow } from "./output_validation.mjs";
import { checkCells, rowsInputs } from "./rows.mjs";
import { openSession } from "./session.mjs";
import { sizeOf, typedArray } from "./tensors.mjs";
import { outOfRange, trainingRange } from "./training_range.mjs";

/** Opens a graph of a package, the default one or the certified one, as a Predictor; `options` are onnxruntime's own. */
export async function openPredictor(opened, ort, options, { certified = false } = {}) {
  return new Predictor(opened.id, await openSession(opened, ort, options, certified ? "certified" : "default"));
}

export class Predictor {
  #session;

  constructor(packageId, session) {
    this.packageId = packageId;
    this.contract = session.contract;
    this.classes = session.contract.classes;
    this.#session = session;
  }

  /** Frees the session's memory once the calls that were made have ended; what is called later is an InputError. */
  close() {
    return this.#session.close();
  }

  /**
   * The class of each row; of a regression the values, Float32Array, or one for each row with several targets. A row
   * for which the model computes no finite probabilities has no class: that is an InputError. Here and below, rows are
   * arrays of cells, columns by name, or flat: a Float32Array of rows x features, which is handed over as it is.
   */
  async predict(rows) {
    if (isClassifier(this.contract)) return this.#classes(rows);
    if (this.contract.task !== "regression")
      throw new InputError(`${this.contract.name} predicts neither one class nor numbers for a row; use run()`);
    const width = this.contract.targets.length;
    const values = (await this.#runRows(rows, ["value"])).value.data;
    return width === 1 ? values : perRow(rows, values, width);
  }

  /**
   * The probability of each class, a Float32Array for each row, in the order of `classes`, or of flat rows one array;
   * NaN where it is none.
   */
  async predictProba(rows) {
    if (!isClassifier(this.contract))
      throw new InputError(`${this.contract.name} is not a binary or multiclass classifier; use predict() or run()`);
    return perRow(rows, (await this.#runRows(rows, ["probabilities"])).probabilities.data, this.classes.length);
  }

  /** Whether it runs the certified graph. */
  get hasErrorBounds() {
    return this.contract.outputs.some(({ name }) => name === "error_bound");
  }

  /** Whether each row's label is certified: no compliant backend gives another. */
  async certified(rows) {
    if (!this.hasErrorBounds || !isClassifier(this.contract)) {
      throw new InputError(`${this.contract.name} was not opened with {certified: true}, or is not a classifier`);
    }
    return Array.from((await this.#runRows(rows, ["label", "certified"])).certified.data, Boolean);
  }

  /**
   * How far any compliant evaluation can be from the exact logits or values, in their own unit: a Float32Array for each
   * row, of flat rows one array; infinite where nothing is certified.
   */
  async errorBound(rows) {
    if (!this.hasErrorBounds) throw new InputError(`${this.contract.name} was not opened with {certified: true}`);
    const { data, dims } = (await this.#runRows(rows, ["error_bound"])).error_bound;
    return perRow(rows, data, dims[1]);
  }

  /**
   * Which cells lie outside the range of the training data, an array of booleans for each row, in the order of a row's
   * cells. A missing cell, and one of a feature whose range the contract does not know, as of text, does not.
   */
  outOfRange(rows) {
    const features = rowFeatures(this.contract);
    const ranges = features.map(trainingRange);
    if (!ranges.some(Boolean))
      throw new InputError(
        `the contract of ${this.contract.name} does not record the range of the training rows, so that no row can be out of range`,
      );
    const inputs = rowsInputs(this.contract, rows);
    const isOutside = ({ input, index }, place, row) =>
      outOfRange(ranges[place], inputs[input].data[row * inputs[input].dims[1] + index]);
    return Array.from({ length: Object.values(inputs)[0].dims[0] }, (_, row) =>
      features.map((feature, place) => isOutside(feature, place, row)),
    );
  }

  /**
   * Every output by name, `{type, dims, data}`, from every input by name: `{dims, data}`, its elements row-major. A
   * missing text is empty; timestamps are seconds since 1970, UTC, as BigInt, a missing one `-(2n ** 63n)`.
   */
  async run(inputs) {
    const tensors = {};
    for (const { name, dtype, shape } of this.contract.inputs) {
      tensors[name] = inputTensor(name, dtype, shape, inputs?.[name]);
    }
    const unknown = Object.keys(inputs ?? {}).find((name) => !Object.hasOwn(tensors, name));
    if (unknown)
      throw new InputError(
        `${this.contract.name} has no input ${unknown}; it takes ${Object.keys(tensors).join(", ")}`,
      );
    checkNamedSizes(this.contract, tensors);
    checkCells(this.contract, tensors);
    return this.#session.run(tensors);
  }

  async #classes(rows) {
    const outputs = await this.#runRows(rows, ["label", "probabilities"]);
    const row = firstNonFiniteRow(this.contract, outputs);
    if (row >= 0) throw new InputError(`row ${row}: ${NO_FINITE_OUTPUT}`);
    return Array.from(outputs.label.data, (label) => this.classes[Number(label)]);
  }

  async #runRows(rows, outputs) {
    const inputs = rowsInputs(this.contract, rows);
    checkCells(this.contract, inputs);
    if (Object.values(inputs)[0].dims[0] > 0) return this.#session.run(inputs, outputs);
    this.#session.check();
    return Object.fromEntries(outputs.map((name) => [name, { data: new Float32Array(0), dims: [0, 0] }]));
  }
}

// The same name is the same size in one call.
function checkNamedSizes({ inputs }, tensors) {
  const sizes = new Map();
  for (const { name, shape } of inputs) {
    for (const [at, dimension] of shape.entries()) {
      const size = tensors[name].dims[at];
      if (typeof dimension !== "string") continue;
      if ((sizes.get(dimension) ?? size) !== size)
        throw new InputError(
          `the input ${name} has ${dimension} = ${size}, but another input has ${sizes.get(dimension)}`,
        );
      sizes.set(dimension, size);
    }
  }
}

function inputTensor(name, dtype, shape, { dims = [], data = [] } = {}) {
  const sizes = dims.every((size) => Number.isInteger(size) && size >= 0) && sizeOf(dims) === data.length;
  if (!sizes || dims.length !== shape.length || shape.some((size, at) => Number.isInteger(size) && size !== dims[at])) {
    const found = `${data.length} elements of the shape [${dims.join(", ")}]`;
    throw new InputError(`the input ${name} takes {dims, data} of the shape [${shape.join(", ")}]; found ${found}`);
  }
  return { type: dtype, dims, data: typedArray(dtype, data, `the input ${name}`) };
}

// Flat rows have flat answers: no object for each row.
function perRow(rows, values, width) {
  if (rows instanceof Float32Array) return values;
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}
