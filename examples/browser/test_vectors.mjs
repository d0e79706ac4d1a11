// The test vectors as tables: each output with its counts, each vector with its result.

import { brief, byId, element, short } from "./dom.mjs";
import { isMultilabel, labelNames } from "./one_label.mjs";
import { rowsOf, timestampText } from "./reader.mjs";
import { term } from "./terms.mjs";

const MOST_VALUES = 6; // of an input or an output; the rest is counted

export function showTestVectors(contract, { passed, deviations, testVectors }) {
  const total = (key) => deviations.reduce((sum, deviation) => sum + deviation[key], 0);
  const numbers = deviations.filter(({ output }) => output !== "label");
  const largest = Math.max(...numbers.map(({ largest: found }) => found));
  const agree = passed ? "All of them agree" : `${total("failed")} of them do not agree`;
  byId("overall").replaceChildren(
    `${total("compared")} expected values were compared with what this browser computes. ${agree} within the `,
    term("tolerance", "tolerances"),
    ` of the package; ${total("within")} lie within 1e-6, and the largest absolute difference is ${brief(largest)}.`,
  );
  byId("outputs").replaceChildren(
    head(["vectors", "result", "output", "values", "outside", "within 1e-6", term("largest difference")]),
    outputs(deviations),
  );
  byId("vectors").replaceChildren(
    head(["vector", "result", term("largest difference"), "expected", "inputs"]),
    vectors(contract, deviations, testVectors),
  );
  byId("test-vectors").hidden = false;
}

function head(names) {
  return element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
}

function outputs(deviations) {
  const rows = deviations.map(({ graph, vectors: kind, output, compared, failed, within, largest }) => {
    const difference = output === "label" ? `${largest} differ` : brief(largest);
    const name = graph === "certified" ? [`${kind}, `, term("certified graph")] : [kind];
    return row(name, failed === 0, [output, compared, failed, within, difference]);
  });
  return element("tbody", {}, ...rows);
}

function vectors(contract, deviations, testVectors) {
  const rows = [];
  for (const kind of ["ordinary", "hard"]) {
    const part = testVectors[kind];
    const count = part ? rowsOf(part) : 0;
    const found = deviations.filter((deviation) => deviation.vectors === kind);
    for (let index = 0; index < count; index++) rows.push(vector(contract, kind, part, found, index, count));
  }
  return element("tbody", {}, ...rows);
}

function vector(contract, kind, part, found, index, count) {
  const sum = (key) => found.reduce((total, { rows }) => total + rows[index][key], 0);
  const numbers = found.filter(({ output }) => output !== "label").map(({ rows }) => rows[index].largest);
  const name = part.kinds?.[index] ? `${kind} ${index + 1}, ${part.kinds[index]}` : `${kind} ${index + 1}`;
  const dated = new Set(contract.features.filter(({ kind }) => kind === "datetime").map(({ input }) => input));
  const inputs = Object.entries(part.inputs)
    .map(([input, tensor]) => valuesOf(tensor, index, count, dated.has(input) ? timestampText : valueText))
    .join("; ");
  return row(name, sum("failed") === 0, [
    brief(Math.max(0, ...numbers)),
    expected(contract, part, index, count),
    inputs,
  ]);
}

function expected(contract, { outputs: recorded, checked }, index, count) {
  if (isMultilabel(contract) && recorded.labels) return labelNames(contract, rowValues(recorded.labels, index, count));
  if (!recorded.label)
    return Object.values(recorded)
      .map((tensor) => valuesOf(tensor, index, count, valueText))
      .join("; ");
  const name = String(contract.classes[Number(recorded.label.data[index])]);
  return checked && !checked.data[index] ? `${name} (label not compared)` : name;
}

function rowValues({ data }, index, count) {
  const width = data.length / count;
  return data.slice(index * width, (index + 1) * width);
}

function valuesOf(tensor, index, count, text) {
  const values = rowValues(tensor, index, count);
  const shown = Array.from(values.slice(0, MOST_VALUES), (value) => text(value));
  return shown.join(", ") + (values.length > MOST_VALUES ? ` and ${values.length - MOST_VALUES} more` : "");
}

const valueText = (value) => (typeof value === "string" ? JSON.stringify(value) : short(Number(value)));

// The result stands early, where a phone shows it as well.
function row(name, good, after) {
  const cell = (content) => element("td", {}, content instanceof Node ? content : String(content));
  const mark = element("span", { class: good ? "mark good" : "mark bad" }, good ? "agrees" : "differs");
  return element("tr", {}, element("th", { scope: "row" }, ...[name].flat()), ...[mark, ...after].map(cell));
}
