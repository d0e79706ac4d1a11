// node predict.mjs PACKAGE [--certified] < in.csv > out.csv    adds predictions to the rows of a table
// node predict.mjs PACKAGE --verify                            checks the package, replays its test vectors
//
// Exits with 0 done, 1 bad input, 2 usage, 3 the package is not what was packaged or fails its test vectors here.

import { once } from "node:events";
import { parseArgs } from "node:util";
import {
  InputError,
  NO_FINITE_OUTPUT,
  ParityError,
  addedColumns,
  firstNonFiniteRow,
  isClassifier,
  printable,
} from "parity-reader";
import { cellInputs, findFeatures } from "./cell_values.mjs";
import { csvText, readCsv } from "./csv.mjs";
import { float32Text } from "./float_text.mjs";
import { loadPackage, verify } from "./parity.mjs";

const BATCH = 4096; // rows; a model whose rows influence one another gets the whole table at once
const WHERE = "stdin";

process.stdout.on("error", (error) => {
  if (error.code === "EPIPE") process.exit(0); // the reader has what it wanted
  stop(`stdout cannot be written (${error.code})`, 1);
});

try {
  process.exitCode = await main(options());
} catch (error) {
  if (!(error instanceof ParityError)) throw error;
  stop(error.message, error.exitCode);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { certified: { type: "boolean" }, verify: { type: "boolean" }, digest: { type: "string" } },
    });
    if (positionals.length !== 1) throw new Error("give one package folder");
    return { folder: positionals[0], ...values };
  } catch (error) {
    stop(
      `${error.message.split("\n", 1)[0]}; usage: node predict.mjs PACKAGE [--certified | --verify] [--digest ID] < in.csv > out.csv`,
      2,
    );
  }
}

function main({ folder, verify: verifies, ...settings }) {
  return verifies ? report(folder, settings) : predict(folder, settings);
}

async function report(folder, settings) {
  const { packageId, files, passed, deviations } = await verify(folder, settings);
  console.log(`${folder}: ${files} files are as they were packaged`);
  for (const { graph, vectors, output, compared, failed, largest } of deviations) {
    const status = failed === 0 ? "agree" : `FAIL: ${failed} lie outside their tolerance`;
    const from = graph === "certified" ? `${vectors}, certified` : vectors;
    console.log(
      `  ${from.padEnd(20)}${output.padEnd(14)}${String(compared).padStart(6)} values ${status}, largest deviation ${largest === 0 ? 0 : largest.toExponential(2)}`,
    );
  }
  console.log(
    passed
      ? `package ${packageId}`
      : `${folder} does not compute here what its test vectors expect; do not use it here`,
  );
  return passed ? 0 : 3;
}

async function predict(folder, settings) {
  const predictor = await loadPackage(folder, settings);
  const { contract } = predictor;
  const added = [...addedColumns(contract), ...(settings.certified ? certifiedColumns(contract) : [])];
  let features, newline;
  await readCsv(process.stdin, WHERE, contract.row_independent ? BATCH : Infinity, {
    async onHeader(header) {
      features = findFeatures(contract, header.cells, WHERE);
      newline = header.newline;
      const clash = added.find((name) => header.cells.includes(name));
      if (clash)
        throw new InputError(
          `${WHERE} has a column ${JSON.stringify(clash)} already, and predictions add one of that name; rename it`,
        );
      await write(`${header.text},${csvText(added)}${newline}`);
    },
    async onBatch(rows, first) {
      const outputs = await predictor.run(cellInputs(rows, features, (index) => `${WHERE}, row ${first + index}`));
      checkFinite(contract, outputs, (index) => `${WHERE}, row ${first + index}`);
      await write(
        rows.map(({ text }, index) => `${text},${csvText(prediction(contract, outputs, index))}${newline}`).join(""),
      );
    },
  });
  return 0;
}

// A label beside what is no number means nothing.
function checkFinite(contract, outputs, place) {
  const row = firstNonFiniteRow(contract, outputs);
  if (row >= 0) throw new InputError(`${place(row)}: ${NO_FINITE_OUTPUT}`);
}

function certifiedColumns(contract) {
  return isClassifier(contract) ? ["certified"] : contract.targets.map((target) => `error_bound_${target}`);
}

function prediction(contract, { label, probabilities, certified, value, error_bound: bound }, row) {
  if (!isClassifier(contract)) return [...floats(value, row), ...(bound ? floats(bound, row) : [])];
  const guarantee = certified ? [certified.data[row] ? "true" : "false"] : [];
  return [String(contract.classes[Number(label.data[row])]), ...floats(probabilities, row), ...guarantee];
}

function floats({ data, dims }, row) {
  return Array.from(data.subarray(row * dims[1], (row + 1) * dims[1]), float32Text);
}

async function write(text) {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

function stop(reason, code) {
  console.error(`predict: ${printable(String(reason))}`);
  process.exit(code);
}
