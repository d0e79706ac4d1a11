// What the model answers at one point, shown and said.

import { element, short, swatch } from "./dom.mjs";
import { classColor } from "./palette.mjs";
import { sayOutside } from "./seen.mjs";

const NO_ANSWER = "The model computes no finite answer for these numbers";

/** Shows the first row of `answers`, which are at a point of the features. */
export function showAnswer(target, contract, answers, features, point) {
  const { label, chance, chances } = read(contract, answers);
  if (!chances.every(Number.isFinite)) return showNone(target, NO_ANSWER);
  const outside = sayOutside(features, point);
  const rows = contract.classes.map((name, index) => bar(name, index, chances[index], index === label));
  const heading = element("p", { class: "label" }, swatch(classColor(label)), String(contract.classes[label]));
  const sure = element("p", { class: "chance" }, `probability ${percent(chance)}`);
  target.replaceChildren(
    element("div", { class: "found" }, heading, sure),
    element("div", { class: "bars" }, ...rows),
    ...(outside ? [element("p", { class: "badge open" }, outside)] : []),
    ...proof(answers, outside),
  );
}

/** Shows why there is no answer, in the place of any. */
export function showNone(target, reason) {
  target.replaceChildren(element("p", { class: "badge open" }, reason));
}

/** The same as one sentence, for who does not see the page. */
export function sayAnswer(contract, answers, features, point) {
  const { label, chance, chances } = read(contract, answers);
  if (!chances.every(Number.isFinite)) return NO_ANSWER;
  const place = features.map(({ name }, index) => `${name} ${short(point[index])}`).join(", ");
  const proven = answers.certified ? (answers.certified[0] ? ", certified" : ", not certified") : "";
  const outside = sayOutside(features, point);
  return `${place}: ${contract.classes[label]}, probability ${percent(chance)}${proven}${outside && `. ${outside}`}`;
}

function read(contract, { labels, probabilities }) {
  const chances = Array.from(probabilities.subarray(0, contract.classes.length));
  return { label: labels[0], chance: chances[labels[0]], chances };
}

function bar(name, index, chance, chosen) {
  const fill = element("span", { class: "fill" });
  fill.style.setProperty("--color", classColor(index));
  fill.style.setProperty("--share", String(chance));
  const track = element("span", { class: "track", "aria-hidden": "true" }, fill);
  return element(
    "div",
    { class: chosen ? "bar chosen" : "bar" },
    element("span", { class: "name" }, String(name)),
    track,
    element("span", { class: "number" }, percent(chance)),
  );
}

// Outside what was seen the badge is not green: it is about rounding alone.
function proof({ certified }, outside) {
  if (!certified) return [];
  if (!certified[0])
    return [element("p", { class: "badge open" }, "Not certified: another runtime may give another label")];
  const text = "Certified: no compliant runtime gives another label. That is about rounding, not about being right";
  return [element("p", { class: outside ? "badge plain" : "badge good" }, text)];
}

function percent(chance) {
  const shown = (100 * chance).toFixed(2);
  if (shown === "100.00" && chance < 1) return "> 99.99 %";
  return shown === "0.00" && chance > 0 ? "< 0.01 %" : `${shown} %`;
}
