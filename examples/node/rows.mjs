// What callers hand in as rows, made into the graph's input tensor, or refused with the row and the feature.

import { InputError, columns, element, shown, typedArray } from "parity-reader";

/** Rows `[[...], ...]` in the features' order, or columns by name `{name: [...]}`, as `{type, dims, data}`. */
export function rowsTensor(contract, rows) {
  if (contract.inputs.length !== 1 || contract.inputs[0].shape.length !== 2) {
    const takes = contract.inputs.map(({ name, shape }) => `${name}[${shape.join(", ")}]`).join(", ");
    throw new InputError(`${contract.name} takes ${takes}, not rows of a table; use run()`);
  }
  const [{ dtype, shape }] = contract.inputs;
  const names = Array.from({ length: shape[1] }, (_, index) => `column ${index}`);
  for (const { index, name } of contract.features) names[index] = name;
  const cells = Array.isArray(rows) ? fromRows(rows, names) : fromColumns(contract, rows);
  return { type: dtype, dims: [cells.length / names.length, names.length], data: typed(dtype, cells, names) };
}

/** Refuses infinities, and NaN where the contract says so, in each input that features describe. */
export function checkCells(contract, inputs) {
  for (const [name, { data, dims }] of Object.entries(inputs)) {
    const features = contract.features.filter(({ input }) => input === name);
    if (features.length === 0 || !(data instanceof Float32Array || data instanceof Float64Array)) continue;
    const at = data.findIndex(
      (cell, index) => !Number.isFinite(cell) && !(Number.isNaN(cell) && imputed(features, index % dims.at(-1))),
    );
    if (at < 0) continue;
    const feature = features.find(({ index }) => index === at % dims.at(-1))?.name ?? `column ${at % dims.at(-1)}`;
    const row = Math.floor((at * dims[0]) / data.length);
    if (Number.isNaN(data[at]))
      throw new InputError(
        `row ${row}: ${feature} is NaN, a missing cell, which this model does not take; fill it or leave the row out`,
      );
    throw new InputError(`row ${row}: ${feature} is ${data[at]}; this model takes finite numbers there`);
  }
}

function imputed(features, column) {
  return features.find(({ index }) => index === column)?.missing !== "refuse";
}

function fromRows(rows, names) {
  const bad = rows.findIndex((row) => row?.length !== names.length);
  if (bad >= 0) throw new InputError(`row ${bad} has ${rows[bad]?.length ?? "no"} cells; it takes ${names.join(", ")}`);
  return rows.flatMap((row) => [...row]);
}

function fromColumns(contract, table) {
  if (contract.features.length !== contract.inputs[0].shape[1])
    throw new InputError(`${contract.name} has no named features; give rows`);
  const found = columns(contract).map(({ name }) => [name, Object.hasOwn(table ?? {}, name) ? table[name] : undefined]);
  const missing = found.find(([, cells]) => cells?.length === undefined);
  if (missing)
    throw new InputError(`the column ${missing[0]} is missing; found ${Object.keys(table ?? {}).join(", ") || "none"}`);
  const lengths = new Set(found.map(([, cells]) => cells.length));
  if (lengths.size > 1) throw new InputError("the columns differ in length; give each feature a number for each row");
  return Array.from({ length: [...lengths][0] ?? 0 }, (_, row) => found.map(([, cells]) => cells[row])).flat();
}

function typed(dtype, cells, names) {
  const bad = cells.findIndex((cell) => element(dtype, cell) === undefined);
  if (bad < 0) return typedArray(dtype, cells, "a row");
  const place = `row ${Math.floor(bad / names.length)}: ${names[bad % names.length]}`;
  throw new InputError(`${place} is ${shown(cells[bad])}, which ${dtype} cannot hold; a missing cell is NaN`);
}
