// node score.mjs PACKAGE [--certified] < in.csv > out.csv    answers the rows of a table
// node score.mjs PACKAGE --verify                            checks the package, replays its recorded vectors
//
// Exits with 0 done, 1 bad input, 2 usage, 3 the package is not what was packaged or does not answer as recorded.

import { once } from "node:events";
import { parseArgs } from "node:util";
import { csvText, readCsv } from "./csv.mjs";
import { float32Text } from "./float32.mjs";
import { cellNumbers, findFeatures } from "./numbers.mjs";
import { InputError, ParityError, loadPackage, replay } from "./parity.mjs";
import { NO_ANSWER, firstUnanswered } from "./reader/answers.mjs";
import { addedColumns } from "./reader/meaning.mjs";
import { isClassifier } from "./reader/contract.mjs";
import { printable } from "./reader/errors.mjs";

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
      `${error.message.split("\n", 1)[0]}; usage: node score.mjs PACKAGE [--certified | --verify] [--digest ID] < in.csv > out.csv`,
      2,
    );
  }
}

function main({ folder, verify, ...asked }) {
  return verify ? report(folder, asked) : score(folder, asked);
}

async function report(folder, asked) {
  const { packageId, files, passed, results } = await replay(folder, asked);
  console.log(`${folder}: ${files} files are as they were packaged`);
  for (const { graph, vectors, output, compared, failed, largest } of results) {
    const verdict = failed === 0 ? "agree" : `FAIL: ${failed} lie outside their tolerance`;
    const from = graph === "certified" ? `${vectors}, certified` : vectors;
    console.log(
      `  ${from.padEnd(20)}${output.padEnd(14)}${String(compared).padStart(6)} values ${verdict}, largest deviation ${largest === 0 ? 0 : largest.toExponential(2)}`,
    );
  }
  console.log(
    passed ? `package ${packageId}` : `${folder} does not answer here as it was recorded; do not use it here`,
  );
  return passed ? 0 : 3;
}

async function score(folder, asked) {
  const predictor = await loadPackage(folder, asked);
  const { contract } = predictor;
  const added = [...addedColumns(contract), ...(asked.certified ? proofColumns(contract) : [])];
  let features, newline;
  await readCsv(process.stdin, WHERE, contract.row_independent ? BATCH : Infinity, {
    async onHeader(header) {
      features = findFeatures(contract, header.cells, WHERE);
      newline = header.newline;
      const clash = added.find((name) => header.cells.includes(name));
      if (clash)
        throw new InputError(
          `${WHERE} has a column ${JSON.stringify(clash)} already; rename it, so that neither is lost`,
        );
      await write(`${header.text},${csvText(added)}${newline}`);
    },
    async onBatch(rows, first) {
      const data = cellNumbers(rows, features, (index) => `${WHERE}, row ${first + index}`);
      const outputs = await predictor.run({
        [contract.inputs[0].name]: { dims: [rows.length, features.length], data },
      });
      checkAnswers(contract, outputs, (index) => `${WHERE}, row ${first + index}`);
      await write(
        rows.map(({ text }, index) => `${text},${csvText(answer(contract, outputs, index))}${newline}`).join(""),
      );
    },
  });
  return 0;
}

// A label beside what is no number means nothing.
function checkAnswers(contract, outputs, place) {
  const row = firstUnanswered(contract, outputs);
  if (row >= 0) throw new InputError(`${place(row)}: ${NO_ANSWER}`);
}

function proofColumns(contract) {
  return isClassifier(contract) ? ["certified"] : contract.targets.map((target) => `error_bound_${target}`);
}

function answer(contract, { label, probabilities, certified, value, error_bound: bound }, row) {
  if (!isClassifier(contract)) return [...floats(value, row), ...(bound ? floats(bound, row) : [])];
  const proof = certified ? [certified.data[row] ? "true" : "false"] : [];
  return [String(contract.classes[Number(label.data[row])]), ...floats(probabilities, row), ...proof];
}

function floats({ data, dims }, row) {
  return Array.from(data.subarray(row * dims[1], (row + 1) * dims[1]), float32Text);
}

async function write(text) {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

function stop(reason, code) {
  console.error(`score: ${printable(String(reason))}`);
  process.exit(code);
}
