// Replays a package's test vectors here, and compares the outputs with the expected ones by the file's own rules.

import { ConformanceError, FormatError } from "./errors.mjs";
import { openSession } from "./session.mjs";
import { readTestVectors, rowsOf } from "./test_vectors.mjs";

const CLOSE = 1e-6; // reported beside what counts, the file's own tolerance

/**
 * Replays a package's test vectors through each of its graphs. Returns `{passed, deviations, testVectors, sessions, close}`,
 * where `close()` frees the sessions; a deviation is one output of one batch: how many values were `compared`, how many `failed`, the `largest` absolute
 * difference (of labels: how many differ), how many lie `within` 1e-6 of the expected ones, and all that of each row.
 */
export async function replayPackage(opened, ort, options) {
  const testVectors = readTestVectors(
    await opened.readJson("conformance.json"),
    opened.contract,
    `${opened.where}/conformance.json`,
  );
  const sessions = {};
  const close = async () => void (await Promise.all(Object.values(sessions).map((session) => session.close())));
  try {
    const deviations = await replayAll(opened, ort, options, testVectors, sessions);
    return { passed: deviations.every(({ failed }) => failed === 0), deviations, testVectors, sessions, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function replayAll(opened, ort, options, testVectors, sessions) {
  const deviations = [];
  for (const graph of ["default", "certified"]) {
    if (!Object.hasOwn(opened.contract.graphs, graph)) continue;
    sessions[graph] = await openSession(opened, ort, options, graph);
    const found = await replay(testVectors, sessions[graph].run);
    deviations.push(...found.map((deviation) => ({ graph, ...deviation })));
  }
  if (!deviations.some(({ compared }) => compared > 0)) {
    throw new ConformanceError(
      `${opened.where}/conformance.json has no values to compare, so that nothing can be verified; export the model again`,
    );
  }
  return deviations;
}

async function replay({ ordinary, hard }, run) {
  const deviations = [];
  const parts = [
    ["ordinary", ordinary, ordinaryRule],
    ["hard", hard, hardRule],
  ];
  for (const [vectors, part, rule] of parts) {
    if (!part || rowsOf(part) === 0) continue; // no inputs, and so nothing to compare
    deviations.push(...compareAll(vectors, part, await run(part.inputs), rule(part)));
  }
  return deviations;
}

// A rule says, for an output, what each value may differ by: null where the file says nothing of that value, and no
// function where it says nothing of the output.
function ordinaryRule({ rtol, atol }) {
  return (name, { data }) =>
    (at) =>
      atol + rtol * Math.abs(Number(data[at]));
}

function hardRule({ tolerance, checked }) {
  return (name) => {
    if (name === "label") return (at) => (checked.data[at] ? 0 : null);
    return Object.hasOwn(tolerance, name) ? (at) => tolerance[name].data[at] : undefined;
  };
}

function compareAll(vectors, part, outputs, rule) {
  const deviations = [];
  for (const [output, expected] of Object.entries(part.outputs)) {
    if (!Object.hasOwn(outputs, output))
      throw new FormatError(
        `the ${vectors} vectors expect ${output}, which is not an output of the model; export it again`,
      );
    const allowed = rule(output, expected);
    if (allowed) deviations.push({ vectors, output, ...compare(outputs[output], expected, allowed, rowsOf(part)) });
  }
  return deviations;
}

function compare(found, expected, allowed, count) {
  const rows = Array.from({ length: count }, () => ({ compared: 0, failed: 0, within: 0, largest: 0 }));
  const fits = found.type === expected.type && String(found.dims) === String(expected.dims);
  const exact = !expected.type.startsWith("float"); // integers and booleans must be equal
  for (let at = 0; at < expected.data.length; at++) {
    const limit = allowed(at);
    if (limit === null) continue;
    const difference = fits ? distance(found.data[at], expected.data[at], exact) : Infinity;
    const passes = exact ? difference === 0 : difference <= limit; // NaN does not
    note(rows[Math.floor((at * count) / expected.data.length)], passes, difference, exact);
  }
  return { ...total(rows, exact), rows };
}

function note(row, passes, difference, exact) {
  row.compared++;
  row.failed += passes ? 0 : 1;
  row.within += difference <= CLOSE ? 1 : 0;
  row.largest = worse(row.largest, difference, exact);
}

function total(rows, exact) {
  const sum = (key) => rows.reduce((found, row) => found + row[key], 0);
  const largest = rows.reduce((found, row) => worse(found, row.largest, exact), 0);
  return { compared: sum("compared"), failed: sum("failed"), within: sum("within"), largest };
}

const distance = (found, expected, exact) => (exact ? Number(found !== expected) : Math.abs(found - expected));
// Of labels the number of those that differ; of numbers the largest distance, and NaN above all.
const worse = (one, other, exact) => (exact ? one + other : Number.isNaN(other) || other > one ? other : one);
