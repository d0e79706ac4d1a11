// The test vectors of conformance.json: inputs and expected outputs, checked against one another and the contract.

import { FormatError } from "./errors.mjs";
import { isObject } from "./json.mjs";
import { tensorFromJson } from "./tensors.mjs";

/** Returns `{ordinary, hard}`, their tensors parsed; `hard` is null where the file has none. */
export function readTestVectors(value, contract, where) {
  const problem = (text) => new FormatError(`${where}: ${text}; export the package again`);
  if (!isObject(value.ordinary) || !(value.hard === null || isObject(value.hard)))
    throw problem("the ordinary or the hard vectors are missing");
  const ordinary = readPart(value.ordinary, where);
  const tolerances = [value.ordinary.rtol, value.ordinary.atol];
  if (!tolerances.every((number) => Number.isFinite(number) && number >= 0))
    throw problem("rtol or atol is not a number from 0 on");
  if (!sameNames(ordinary.outputs, contract.outputs)) throw problem("the ordinary vectors do not hold every output");
  const hard = value.hard && { ...readPart(value.hard, where), ...readBounds(value.hard, where) };
  for (const part of hard ? [ordinary, hard] : [ordinary]) {
    if (!sameNames(part.inputs, contract.inputs)) throw problem("the vectors do not hold every input");
    if (rowsOf(part) === undefined) throw problem("the tensors of one batch differ in their number of rows");
  }
  if (hard && !hardFits(hard)) throw problem("the tolerances of the hard vectors do not fit their outputs");
  return { ordinary: { ...ordinary, rtol: tolerances[0], atol: tolerances[1] }, hard };
}

/** How many rows a batch has; undefined where its tensors disagree. */
export function rowsOf({ inputs, outputs }) {
  const counts = new Set([...Object.values(inputs), ...Object.values(outputs)].map(({ dims }) => dims[0] ?? 1));
  return counts.size === 1 ? [...counts][0] : undefined;
}

function readPart({ inputs, outputs }, where) {
  return { inputs: readTensors(inputs, where), outputs: readTensors(outputs, where) };
}

function readBounds({ kinds, tolerance, label_checked: checked }, where) {
  const known = Array.isArray(kinds) ? kinds.map(String) : [];
  return {
    kinds: known,
    tolerance: readTensors(tolerance, where),
    checked: tensorFromJson(checked, `${where}: label_checked`),
  };
}

function readTensors(value, where) {
  if (!isObject(value)) throw new FormatError(`${where}: a set of tensors is missing; export the package again`);
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, tensorFromJson(item, `${where}: ${name}`)]),
  );
}

function sameNames(tensors, specs) {
  return JSON.stringify(Object.keys(tensors).sort()) === JSON.stringify(specs.map(({ name }) => name).sort());
}

function hardFits({ outputs, tolerance, checked }) {
  const same = (one, other) => other !== undefined && String(one.dims) === String(other.dims);
  const bounds = Object.entries(tolerance).every(
    ([name, bound]) => same(bound, outputs[name]) && bound.data.every((number) => number >= 0),
  );
  return bounds && (outputs.label === undefined || same(checked, outputs.label));
}
