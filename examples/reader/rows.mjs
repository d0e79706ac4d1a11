// What callers hand in as rows, made into the graph's inputs, or refused with the row and the feature.

import { isMissingCell, kindProblem, valueReader } from "./cells.mjs";
import { rowFeatures } from "./contract.mjs";
import { InputError } from "./errors.mjs";
import { element, shown, typedArray } from "./tensors.mjs";

/**
 * Rows `[[...], ...]` of cells, columns by name `{name: [...]}`, or a flat Float32Array of rows x features, as the graph's
 * inputs: `{type, dims, data}` by name.
 */
export function rowsInputs(contract, rows) {
  const features = rowColumns(contract);
  if (rows instanceof Float32Array) return flatInputs(contract, features, rows);
  if (ArrayBuffer.isView(rows))
    throw new InputError(
      `rows are a ${rows.constructor.name}; give a Float32Array of flat rows, or an array of cells for each row`,
    );
  const columns = Array.isArray(rows) ? fromRows(rows, features) : fromColumns(contract, features, rows);
  const count = columns[0].length;
  const inputs = {};
  for (const { name, dtype, shape } of contract.inputs) {
    const data = new Array(count * shape[1]);
    features.forEach((feature, place) => {
      if (feature.input !== name) return;
      const read = reader(contract, feature, columns[place]);
      for (let row = 0; row < count; row++)
        data[row * shape[1] + feature.index] = readCell(read, feature, columns[place], row);
    });
    inputs[name] = { type: dtype, dims: [count, shape[1]], data: typedArray(dtype, data, "a row") };
  }
  return inputs;
}

// The array itself becomes the input: no cell is looked at, and none is copied, but for memory that is shared with other
// threads, which onnxruntime-node does not take.
function flatInputs(contract, features, values) {
  const [{ name, dtype }] = contract.inputs;
  const other = features.find(({ kind }) => kind !== undefined && kind !== "numeric");
  if (other || contract.inputs.length > 1 || dtype !== "float32") {
    const inputs = contract.inputs.length > 1 ? `${contract.inputs.length} inputs` : dtype;
    throw new InputError(
      `${contract.name} takes ${other ? `the ${other.kind} ${other.name}` : inputs}, which a Float32Array cannot hold; give an array of cells for each row`,
    );
  }
  if (values.length % features.length !== 0)
    throw new InputError(
      `${values.length} numbers are not a whole number of rows; give ${features.length} for each row`,
    );
  const data = values.buffer instanceof ArrayBuffer ? values : values.slice();
  return { [name]: { type: dtype, dims: [values.length / features.length, features.length], data } };
}

/** Refuses infinities, and missing cells where the contract says so, in each input that features describe. */
export function checkCells(contract, inputs) {
  for (const [name, { data, dims }] of Object.entries(inputs)) {
    const features = contract.features.filter(({ input }) => input === name);
    if (features.length === 0) continue;
    const width = dims.at(-1);
    const owners = [];
    for (const feature of features) owners[feature.index] = feature;
    const at = refusedAt(data, owners, width);
    if (at < 0) continue;
    const feature = owners[at % width]?.name ?? `column ${at % width}`;
    const place = `row ${Math.floor((at * dims[0]) / data.length)}: ${feature}`;
    if (data[at] === Infinity || data[at] === -Infinity)
      throw new InputError(`${place} is ${data[at]}; this model needs a finite number there`);
    throw new InputError(
      `${place} is ${shown(data[at])}, a missing cell, which this model does not take; fill it or leave the row out`,
    );
  }
}

// A plain loop: a finite number, which nearly all cells are, costs no call.
function refusedAt(data, owners, width) {
  for (let at = 0; at < data.length; at++) {
    if (!Number.isFinite(data[at]) && isRefused(owners[at % width], data[at])) return at;
  }
  return -1;
}

function isRefused(feature, cell) {
  const missing = feature ? isMissingCell(feature, cell) : Number.isNaN(cell);
  return missing ? feature?.missing === "refuse" : typeof cell === "number";
}

// The features in the order of a row; of a model that names none, its input's columns.
function rowColumns(contract) {
  const { inputs, features } = contract;
  const [{ name: input, shape, dtype }] = inputs;
  if (inputs.length === 1 && shape.length === 2 && Number.isInteger(shape[1]) && features.length === 0)
    return Array.from({ length: shape[1] }, (_, index) => ({ name: `column ${index}`, input, index, dtype }));
  const width = ({ name }) => features.filter((feature) => feature.input === name).length;
  if (!inputs.every((spec) => spec.shape.length === 2 && spec.shape[1] === width(spec))) {
    const takes = inputs.map(({ name, shape: sizes }) => `${name}[${sizes.join(", ")}]`).join(", ");
    throw new InputError(`${contract.name} takes ${takes}, not rows of a table; use run()`);
  }
  return rowFeatures(contract);
}

// A typed array of numbers is taken as it is, also where a number stands for a missing cell.
function reader(contract, feature, column) {
  return feature.kind === undefined || (feature.kind === "numeric" && ArrayBuffer.isView(column))
    ? (cell) => cell
    : valueReader(contract, feature);
}

function readCell(read, feature, column, row) {
  const found = read(column[row]);
  if (found !== undefined && element(feature.dtype, found) !== undefined) return found;
  const cell = `row ${row}: ${feature.name} is ${shown(column[row])}`;
  if (feature.kind === undefined || feature.kind === "numeric")
    throw new InputError(`${cell}, which ${feature.dtype} cannot hold; a missing cell is NaN`);
  if (feature.kind === "datetime" && typeof column[row] !== "string")
    throw new InputError(`${cell}, not a date of the years 1 to 9999; give a Date, text, or null for a missing one`);
  throw new InputError(`${cell}, ${kindProblem(feature)}`);
}

function fromRows(rows, features) {
  const names = features.map(({ name }) => name);
  const bad = rows.findIndex((row) => row?.length !== names.length);
  if (bad >= 0) throw new InputError(`row ${bad} has ${rows[bad]?.length ?? "no"} cells; it takes ${names.join(", ")}`);
  return names.map((_, place) => rows.map((row) => row[place]));
}

function fromColumns(contract, features, table) {
  if (contract.features.length === 0) throw new InputError(`${contract.name} has no named features; give rows`);
  const found = features.map(({ name }) => [name, Object.hasOwn(table ?? {}, name) ? table[name] : undefined]);
  const missing = found.find(([, cells]) => cells?.length === undefined);
  if (missing)
    throw new InputError(`the column ${missing[0]} is missing; found ${Object.keys(table ?? {}).join(", ") || "none"}`);
  const text = found.find(([, cells]) => typeof cells === "string");
  if (text) throw new InputError(`the column ${text[0]} is one text; give a list of cells`);
  const lengths = new Set(found.map(([, cells]) => cells.length));
  if (lengths.size > 1) throw new InputError("the columns differ in length; give each feature a cell for each row");
  return found.map(([, cells]) => cells);
}
