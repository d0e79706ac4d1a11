// What the model predicts at one point, shown and said.

import { cellText } from "./cell_text.mjs";
import { brief, element, short, swatch } from "./dom.mjs";
import { isMultilabel, labelNames } from "./one_label.mjs";
import { FEW_CLASSES, classColor } from "./palette.mjs";
import { NO_FINITE_OUTPUT } from "./reader.mjs";
import { term } from "./terms.mjs";
import { outOfRangeText } from "./training_range.mjs";

const NOT_FINITE = NO_FINITE_OUTPUT[0].toUpperCase() + NO_FINITE_OUTPUT.slice(1);

/** Shows the first row of `predictions`, which are at a point of the features. */
export function showPrediction(target, contract, predictions, features, point) {
  const found = read(contract, predictions);
  if (!found.numbers.every(Number.isFinite)) return showNone(target, NOT_FINITE);
  const outside = outOfRangeText(features, point);
  target.replaceChildren(
    ...(predictions.values ? valueParts(contract, found) : classParts(contract, found)),
    ...(outside ? [element("p", { class: "badge open" }, outside)] : []),
    ...certificate(predictions, outside),
  );
}

function classParts(contract, found) {
  const { classes } = contract;
  const { chosen, numbers } = found;
  const order = classes.map((_, index) => index);
  if (order.length > FEW_CLASSES) order.sort((one, other) => numbers[other] - numbers[one]);
  const bars = order.map((index) => bar(classes[index], index, numbers[index], chosen.includes(index)));
  const head = element("div", { class: "found" }, ...(isMultilabel(contract) ? labelHead : classHead)(contract, found));
  return [head, element("div", { class: "bars" }, ...bars)];
}

function classHead({ classes }, { chosen: [label], numbers }) {
  const heading = element("p", { class: "label" }, swatch(classColor(label)), String(classes[label]));
  return [heading, element("p", { class: "probability" }, term("probability"), ` ${percent(numbers[label])}`)];
}

function labelHead(contract, found) {
  const heading = element("p", { class: "label" }, labelNames(contract, found.labels));
  return [
    heading,
    element("p", { class: "probability" }, "the ", term("label probability", "probability of each label")),
  ];
}

function valueParts({ targets }, { numbers, bounds }) {
  return targets.map((name, index) => {
    const value = element("p", { class: "label" }, short(numbers[index]));
    const bound = bounds && [" ", term("error bound", `\u00b1 ${brief(bounds[index])}`)];
    return element("div", { class: "found" }, element("p", { class: "probability" }, name, ...(bound ?? [])), value);
  });
}

/** Shows why there is no prediction, in the place of any. */
export function showNone(target, reason) {
  target.replaceChildren(element("p", { class: "badge open" }, reason));
}

/** The same as one sentence, for who does not see the page. */
export function predictionText(contract, predictions, features, point) {
  const found = read(contract, predictions);
  if (!found.numbers.every(Number.isFinite)) return NOT_FINITE;
  const place = features.map((feature, index) => `${feature.name} ${cellText(feature, point[index])}`).join(", ");
  const outside = outOfRangeText(features, point);
  return `${place}: ${predictions.values ? valueText(contract, found) : classText(contract, found, predictions)}${outside && `. ${outside}`}`;
}

function classText(contract, found, { certified }) {
  const { classes } = contract;
  if (isMultilabel(contract)) return labelText(contract, found);
  const [label] = found.chosen;
  const guarantee = certified ? (certified[0] ? ", certified" : ", not certified") : "";
  return `${classes[label]}, probability ${percent(found.numbers[label])}${guarantee}`;
}

function labelText(contract, found) {
  const said = contract.classes.length > FEW_CLASSES ? found.chosen : contract.classes.keys();
  const each = Array.from(said, (index) => `${contract.classes[index]} ${percent(found.numbers[index])}`);
  return [labelNames(contract, found.labels), ...(each.length ? [`probability ${each.join(", ")}`] : [])].join(": ");
}

/** What is predicted at the pointer, in a few words: of several targets the drawn one, and of labels where one is drawn. */
export function tipText(contract, predictions, { target, axes }) {
  const found = read(contract, predictions);
  if (!found.numbers.every(Number.isFinite)) return NOT_FINITE;
  if (predictions.values) return `${contract.targets[target]}: ${short(found.numbers[target])}`;
  if (isMultilabel(contract) && axes.length === 1) return labelNames(contract, found.labels);
  const shown = isMultilabel(contract) ? target : found.chosen[0];
  return `${contract.classes[shown]}: ${percent(found.numbers[shown])}`;
}

const valueText = ({ targets }, { numbers }) => targets.map((name, at) => `${name} ${short(numbers[at])}`).join(", ");

// Of the first row: a regression's values and bounds, or the places of its class or labels and the probabilities.
function read(contract, { labels, probabilities, values, bounds }) {
  const width = contract.targets.length;
  if (values) return { numbers: Array.from(values.subarray(0, width)), bounds: bounds?.subarray(0, width) };
  const count = contract.classes.length;
  const numbers = Array.from(probabilities.subarray(0, count));
  if (!isMultilabel(contract)) return { chosen: [labels[0]], numbers };
  const found = labels.slice(0, count);
  return { chosen: found.flatMap((has, index) => (has ? [index] : [])), labels: found, numbers };
}

function bar(name, index, probability, chosen) {
  const fill = element("span", { class: "fill" });
  fill.style.setProperty("--color", classColor(index));
  fill.style.setProperty("--share", String(probability));
  const track = element("span", { class: "track", "aria-hidden": "true" }, fill);
  return element(
    "div",
    { class: chosen ? "bar chosen" : "bar" },
    element("span", { class: "name" }, String(name)),
    track,
    element("span", { class: "number" }, percent(probability)),
  );
}

// Outside the range of the training data the badge is not green: it is about rounding alone.
function certificate({ certified }, outside) {
  if (!certified) return [];
  if (!certified[0])
    return [element("p", { class: "badge open" }, "Not certified: another runtime may give another label")];
  const text =
    "Certified: no compliant runtime gives another label. That is about rounding, not about whether it is right";
  return [element("p", { class: outside ? "badge plain" : "badge good" }, text)];
}

function percent(probability) {
  const shown = (100 * probability).toFixed(2);
  if (shown === "100.00" && probability < 1) return "> 99.99 %";
  return shown === "0.00" && probability > 0 ? "< 0.01 %" : `${shown} %`;
}
