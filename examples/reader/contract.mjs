// contract.json: the inputs and outputs of a model. Every key is checked for its type, and against the others.

import { checkContract } from "./contract_check.mjs";
import { FormatError } from "./errors.mjs";
import { isObject } from "./json.mjs";
import { DTYPES } from "./tensors.mjs";

const text = (value) => typeof value === "string";
const finite = (value) => Number.isFinite(value);
const label = (value) => text(value) || Number.isSafeInteger(value); // a larger integer is rounded by JSON.parse
const listOf = (check) => (value) => Array.isArray(value) && value.every(check);
const orNull = (check) => (value) => value === null || value === undefined || check(value);

const KEYS = {
  name: text,
  task: text,
  inputs: listOf(isTensor),
  outputs: listOf(isTensor),
  features: listOf(isFeature),
  targets: listOf(text),
  classes: (value) => listOf(text)(value) || listOf(Number.isSafeInteger)(value),
  positive: orNull(label),
  threshold: orNull(finite),
  logit_threshold: orNull(finite),
  thresholds: orNull(listOf(finite)),
  logit_thresholds: orNull(listOf(finite)),
  unit_norm: orNull((value) => typeof value === "boolean"),
  row_independent: orNull((value) => typeof value === "boolean"),
  graphs: (value) => isObject(value) && Object.values(value).every(text) && Object.hasOwn(value, "default"),
  tolerance: (value) => isObject(value) && Object.values(value).every(isTolerance),
  min_onnxruntime: orNull(text),
  provenance: isObject,
  missing_values: orNull(listOf(text)),
};

export const KINDS = ["numeric", "boolean", "categorical", "code", "datetime"];

/** Returns the known keys of the contract, or says which one is wrong. */
export function readContract(value, where) {
  const contract = {};
  for (const [key, check] of Object.entries(KEYS)) {
    if (!check(value[key]))
      throw new FormatError(`${where}: "${key}" is missing or malformed; export the package again`);
    contract[key] = value[key] ?? null;
  }
  contract.features = contract.features.map((feature) => completed(feature, contract));
  checkContract(contract, where);
  return contract;
}

/** The contract of the certified graph: it also gives `error_bound`, and for a classifier `certified`. */
export function certifiedContract(contract) {
  const bounded = contract.outputs.find(({ name }) => name === (isClassifier(contract) ? "logits" : "value"));
  const added = [{ ...bounded, name: "error_bound" }];
  if (isClassifier(contract)) added.push({ name: "certified", dtype: "bool", shape: bounded.shape.slice(0, 1) });
  return { ...contract, outputs: [...contract.outputs, ...added] };
}

/** Whether a row has one class of several. */
export function isClassifier(contract) {
  return contract.task === "binary" || contract.task === "multiclass";
}

/** The features in the graph's order: input by input, and in each by their index. */
export function columns(contract) {
  const places = new Map(contract.inputs.map(({ name }, place) => [name, place]));
  const place = ({ input }) => places.get(input);
  return [...contract.features].sort((one, other) => place(one) - place(other) || one.index - other.index);
}

/** The features in the order of a row without names: the table's where there are several inputs. */
export function rowFeatures(contract) {
  return contract.inputs.length === 1 ? columns(contract) : contract.features;
}

export const isText = ({ kind }) => kind === "categorical" || kind === "code";

// A feature without a kind is numeric; its dtype is its input's.
function completed(feature, { inputs }) {
  const { kind = "numeric", categories = [], format = null } = feature;
  const dtype = inputs.find(({ name }) => name === feature.input)?.dtype ?? null;
  return { ...feature, kind, categories, format, dtype };
}

function isTensor(value) {
  return (
    isObject(value) &&
    text(value.name) &&
    DTYPES.has(value.dtype) &&
    listOf((size) => (Number.isInteger(size) ? size >= 1 : text(size) && size.trim() !== ""))(value.shape)
  );
}

function isFeature(value) {
  return (
    isObject(value) &&
    [value.name, value.input].every(text) &&
    Number.isInteger(value.index) &&
    (value.kind === undefined || KINDS.includes(value.kind)) &&
    (value.categories === undefined || listOf(text)(value.categories)) &&
    orNull(text)(value.format) &&
    (value.missing === "impute" || value.missing === "refuse") &&
    orNull(finite)(value.low) &&
    orNull(finite)(value.high)
  );
}

function isTolerance(value) {
  return isObject(value) && ["rtol", "atol", "floor"].every((key) => Number.isFinite(value[key]) && value[key] >= 0);
}
