// Whether the parts of a contract agree with one another.

import { FormatError } from "./errors.mjs";

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** Throws a `FormatError` that names the first contradiction. */
export function checkContract(contract, where) {
  const problem = checkTask(contract) ?? checkOutputs(contract) ?? checkNames(contract) ?? checkFeatures(contract);
  if (problem) throw new FormatError(`${where}: ${problem}; export the package again`);
}

/** The columns that predictions add to a table. */
export function addedColumns({ task, classes, targets, outputs }) {
  const probabilities = classes.map((name) => `probability_${name}`);
  if (task === "binary" || task === "multiclass") return ["label", ...probabilities];
  if (task === "multilabel") return [...classes.map((name) => `label_${name}`), ...probabilities];
  if (task === "embedding") {
    const width = Number(outputs[0].shape.at(-1)) || 0;
    return Array.from({ length: width }, (_, index) => `embedding_${index + 1}`);
  }
  return task === "regression" ? [...targets] : [];
}

// The fewest classes of each task.
const TASKS = {
  binary: 2,
  multiclass: 2,
  multilabel: 1,
  tagging: 2,
  embedding: 0,
  language_model: 0,
  regression: 0,
  tensors: 0,
};

function checkTask({ task, classes, inputs, outputs, thresholds, logit_thresholds: logits, ...binary }) {
  if (!Object.hasOwn(TASKS, task)) return `unknown task ${JSON.stringify(task)}`;
  if (inputs.length === 0 || outputs.length === 0) return "a model has at least one input and one output";
  if (task === "binary") return checkBinary(classes, binary);
  const fewest = TASKS[task] === 1 ? "one class" : "two classes";
  if (classes.length < TASKS[task]) return `the task ${task} needs at least ${fewest}`;
  if (TASKS[task] === 0 && classes.length > 0) return `the task ${task} has no classes`;
  return task === "multilabel" ? checkThresholds(classes, thresholds ?? [], logits ?? []) : undefined;
}

function checkThresholds(classes, thresholds, logits) {
  if (thresholds.length !== classes.length || logits.length !== classes.length)
    return "the task multilabel needs thresholds and logit_thresholds, one for each class";
  return thresholds.map((threshold, index) => checkThreshold(threshold, logits[index])).find(Boolean);
}

function checkBinary(classes, { positive, threshold, logit_threshold: logit }) {
  if (classes.length !== 2) return "the task binary needs two classes";
  if (positive !== classes[1]) return `positive is ${positive}, but the second class is ${classes[1]}`;
  return checkThreshold(threshold, logit);
}

function checkThreshold(threshold, logit) {
  if (!(threshold > 0 && threshold < 1)) return `threshold is ${threshold}, not strictly between 0 and 1`;
  const wanted = Math.log(threshold) - Math.log1p(-threshold);
  // Another language's logarithm may differ in its last bit, and round to the neighbouring float32.
  if (logit === null || !(Math.abs(logit - wanted) <= 2 ** -22 * Math.abs(wanted))) {
    return `logit_threshold is ${logit}, but the threshold ${threshold} is the logit ${wanted}`;
  }
}

function checkOutputs({ task, classes, targets, outputs }) {
  if (task === "tensors") return undefined;
  if (task === "regression") return checkOutput(outputs, "value", "float32", [targets.length]);
  const shapeOf = (wanted) => outputs.find(({ name }) => name === wanted)?.shape ?? [];
  if (task === "embedding") return checkOutput(outputs, "embedding", "float32", [shapeOf("embedding").at(-1)]);
  const logits = shapeOf("logits").at(-1);
  const time = [shapeOf("logits").length === 3 ? shapeOf("logits")[1] : "time"];
  if (task === "language_model")
    return (
      checkOutput(outputs, "tokens", "int64", time) ?? checkOutput(outputs, "logits", "float32", [...time, logits])
    );
  if (task === "tagging") return checkDecision(outputs, ["tags", "int64", time], [...time, classes.length]);
  if (task === "multilabel") return checkDecision(outputs, ["labels", "bool", [classes.length]], [classes.length]);
  return (
    checkOutput(outputs, "label", "int64", []) ??
    checkOutput(outputs, "probabilities", "float32", [classes.length]) ??
    // one logit may stand for two classes
    checkOutput(outputs, "logits", "float32", [classes.length === 2 && logits === 1 ? 1 : classes.length])
  );
}

function checkDecision(outputs, decision, row) {
  return (
    checkOutput(outputs, ...decision) ??
    checkOutput(outputs, "probabilities", "float32", row) ??
    checkOutput(outputs, "logits", "float32", row)
  );
}

function checkOutput(outputs, name, dtype, row) {
  const found = outputs.find((spec) => spec.name === name);
  const fits = found?.dtype === dtype && String(found.shape.slice(1)) === String(row) && found.shape.length > 0;
  return fits
    ? undefined
    : `the task needs the output ${name}: ${dtype}[${["batch", ...row].join(", ")}], which is missing`;
}

function checkNames(contract) {
  const features = contract.features.map(({ name }) => name);
  const groups = { model: [contract.name], feature: features, target: contract.targets, class: contract.classes };
  for (const [kind, names] of Object.entries(groups)) {
    const bad = names.find((name) => String(name).trim() === "" || UNPRINTABLE.test(String(name)));
    if (bad !== undefined) return `the ${kind} name ${JSON.stringify(bad)} is empty or cannot be printed`;
    if (new Set(names.map(String)).size !== names.length) return `${kind} names repeat: ${names.join(", ")}`;
  }
  const clash = addedColumns(contract).find((name) => features.includes(name));
  return clash === undefined ? undefined : `a feature is called ${clash}, like a column that predictions add`;
}

const CODE = /^(0|-?[1-9][0-9]*)$/;

function checkFeatures({ features, inputs }) {
  const places = new Set(features.map(({ input, index }) => JSON.stringify([input, index])));
  if (places.size !== features.length) return "two features have the same column";
  const dated = new Set(features.filter(({ kind }) => kind === "datetime").map(({ input }) => input));
  for (const feature of features) {
    const { name, input, index, low, high } = feature;
    const width = inputs.find((spec) => spec.name === input)?.shape.at(-1);
    if (!(Number.isInteger(width) && index >= 0 && index < width)) return `the feature ${name} has no column ${index}`;
    if (Number.isFinite(low) && Number.isFinite(high) && low > high) return `the feature ${name} has low above high`;
    const problem = checkKind(feature, dated.has(input));
    if (problem) return problem;
  }
}

function checkKind({ name, kind, dtype, categories }, isDated) {
  const isText = kind === "categorical" || kind === "code";
  const wanted = isText ? "string" : kind === "datetime" ? "int64" : undefined;
  const fits = wanted === undefined ? dtype !== "string" && !isDated : dtype === wanted;
  if (!fits) return `the feature ${name} is ${kind}, which its input of dtype ${dtype} cannot hold`;
  if (categories.length > 0 && !isText) return `the feature ${name} is ${kind}, which has no categories`;
  if (new Set(categories).size !== categories.length || categories.includes(""))
    return `the categories of the feature ${name} repeat, or one is empty`;
  const odd = kind === "code" ? categories.find((text) => !CODE.test(text)) : undefined;
  return odd === undefined
    ? undefined
    : `the feature ${name} has the code ${JSON.stringify(odd)}, which is not a whole number`;
}
