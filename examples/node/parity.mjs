// Answers from a Parity package, in Node.

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { DigestError, InputError } from "./reader/errors.mjs";
import { NO_ANSWER, firstUnanswered } from "./reader/answers.mjs";
import { isClassifier } from "./reader/contract.mjs";
import { openPackage } from "./reader/package.mjs";
import { replayPackage } from "./reader/replay.mjs";
import { openSession } from "./reader/session.mjs";
import { sizeOf, typedArray } from "./reader/tensors.mjs";
import { checkCells, rowsTensor } from "./rows.mjs";

// onnxruntime 1.29 and later start a thread and write below HOME when they are loaded, unless this is set before.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
const { default: ort } = await import("onnxruntime-node");

// The options of Parity's own Python runtime, so that the answers have the same bits.
const OPTIONS = {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "all",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4, // what goes wrong is thrown; onnxruntime would print it as well
};

// Node's own texts repeat the path.
const REASONS = {
  ENOENT: "no such file",
  ENOTDIR: "no such folder",
  EISDIR: "it is a folder",
  EACCES: "not permitted",
};

export * from "./reader/errors.mjs";

/**
 * Opens a package folder, its files checked against its manifest.
 * @param {string} folder
 * @param {{digest?: string, certified?: boolean}} [options] the package id that is expected; the certified graph
 * @returns {Promise<Predictor>}
 */
export async function loadPackage(folder, { digest, certified = false } = {}) {
  const opened = await openPackage(folderSource(folder), digest);
  const session = await openSession(opened, ort, OPTIONS, certified ? "certified" : "default");
  return new Predictor(opened.id, session);
}

/**
 * Checks every file of a package and replays its recorded vectors here, through each of its graphs.
 * @param {string} folder
 * @param {{digest?: string}} [options]
 */
export async function replay(folder, { digest } = {}) {
  const opened = await openPackage(folderSource(folder), digest);
  for (const name of opened.entries.keys()) await opened.read(name);
  const unlisted = (await unlistedIn(folder, [...opened.entries.keys(), "manifest.json"]))[0];
  if (unlisted) throw new DigestError(`${folder} holds ${unlisted}, which its manifest does not list; remove it`);
  const { passed, results } = await replayPackage(opened, ort, OPTIONS);
  return { packageId: opened.id, files: opened.entries.size, passed, results };
}

export class Predictor {
  #run;

  constructor(packageId, { contract, run }) {
    this.packageId = packageId;
    this.contract = contract;
    this.classes = contract.classes;
    this.#run = run;
  }

  /**
   * The class of each row; of a regression the values, Float32Array, or one for each row with several targets. A row
   * for which the model computes no finite probabilities has no class: that is an InputError.
   */
  async predict(rows) {
    if (isClassifier(this.contract)) return this.#classes(rows);
    if (this.contract.task !== "regression") throw new InputError(`${this.contract.name} returns tensors; use run()`);
    const width = this.contract.targets.length;
    const values = (await this.#ask(rows, ["value"])).value.data;
    return width === 1 ? values : split(values, width);
  }

  /** The probability of each class, a Float32Array for each row, in the order of `classes`; NaN where it is none. */
  async predictProba(rows) {
    if (!isClassifier(this.contract)) throw new InputError(`${this.contract.name} is no classifier; use predict()`);
    return split((await this.#ask(rows, ["probabilities"])).probabilities.data, this.classes.length);
  }

  /** Whether each row's label is proven: no compliant backend gives another. */
  async certified(rows) {
    if (!this.contract.outputs.some(({ name }) => name === "certified")) {
      throw new InputError(`${this.contract.name} was not opened with {certified: true}, or is no classifier`);
    }
    return Array.from((await this.#ask(rows, ["label", "certified"])).certified.data, Boolean);
  }

  /** Every output by name, `{type, dims, data}`, from every input by name: `{dims, data}`, its numbers row-major. */
  async run(inputs) {
    const tensors = {};
    for (const { name, dtype, shape } of this.contract.inputs) {
      tensors[name] = inputTensor(name, dtype, shape, inputs?.[name]);
    }
    const unknown = Object.keys(inputs ?? {}).find((name) => !Object.hasOwn(tensors, name));
    if (unknown)
      throw new InputError(
        `${this.contract.name} has no input ${unknown}; it takes ${Object.keys(tensors).join(", ")}`,
      );
    checkNamedSizes(this.contract, tensors);
    checkCells(this.contract, tensors);
    return this.#run(tensors);
  }

  async #classes(rows) {
    const answers = await this.#ask(rows, ["label", "probabilities"]);
    const row = firstUnanswered(this.contract, answers);
    if (row >= 0) throw new InputError(`row ${row}: ${NO_ANSWER}`);
    return Array.from(answers.label.data, (label) => this.classes[Number(label)]);
  }

  async #ask(rows, outputs) {
    const tensor = rowsTensor(this.contract, rows);
    const inputs = { [this.contract.inputs[0].name]: tensor };
    checkCells(this.contract, inputs);
    if (tensor.dims[0] > 0) return this.#run(inputs, outputs);
    return Object.fromEntries(outputs.map((name) => [name, { data: new Float32Array(0), dims: [0, 0] }]));
  }
}

// The same name is the same size in one call.
function checkNamedSizes({ inputs }, tensors) {
  const sizes = new Map();
  for (const { name, shape } of inputs) {
    for (const [at, dimension] of shape.entries()) {
      const size = tensors[name].dims[at];
      if (typeof dimension !== "string") continue;
      if ((sizes.get(dimension) ?? size) !== size)
        throw new InputError(`the input ${name} has ${dimension} = ${size}, but another has ${sizes.get(dimension)}`);
      sizes.set(dimension, size);
    }
  }
}

function inputTensor(name, dtype, shape, { dims = [], data = [] } = {}) {
  const sizes = dims.every((size) => Number.isInteger(size) && size >= 0) && sizeOf(dims) === data.length;
  if (!sizes || dims.length !== shape.length || shape.some((size, at) => Number.isInteger(size) && size !== dims[at])) {
    const found = `${data.length} numbers of the shape [${dims.join(", ")}]`;
    throw new InputError(`the input ${name} takes {dims, data} of the shape [${shape.join(", ")}]; found ${found}`);
  }
  return { type: dtype, dims, data: typedArray(dtype, data, `the input ${name}`) };
}

function split(values, width) {
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}

function folderSource(folder) {
  const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
  const read = (name, limit) =>
    readRegular(path.join(folder, name), limit).catch((error) => {
      throw new Error(REASONS[error.code] ?? error.message);
    });
  return { where: folder, sha256, read };
}

// A regular file only: opening a pipe waits for a writer, and a device never ends.
async function readRegular(file, limit) {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error("it is no regular file");
    const bytes = new Uint8Array(Math.min(status.size, limit) + 1);
    let length = 0;
    for (let more = 1; more > 0 && length < bytes.length; length += more) {
      more = (await handle.read(bytes, length, bytes.length - length)).bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}

async function unlistedIn(folder, listed) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const nameOf = (entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/");
  return found
    .map((entry) => [nameOf(entry), entry.isDirectory()])
    .filter(([name, isFolder]) => !listed.some((known) => (isFolder ? known.startsWith(`${name}/`) : known === name)))
    .map(([name]) => name);
}
