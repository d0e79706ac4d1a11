// A session over a graph that was checked against its contract.

import { certifiedContract } from "./contract.mjs";
import { DigestError, FormatError, InputError, firstLine } from "./errors.mjs";
import { sameJson } from "./json.mjs";
import { scanModel } from "./model_scan.mjs";
import { checkLabels } from "./output_validation.mjs";
import { element, shown, sizeOf } from "./tensors.mjs";
import { checkExternal, weightsOptions } from "./weights.mjs";

/**
 * Opens the package's default graph, or its certified one, with `ort` (onnxruntime-node or onnxruntime-web).
 * Returns `{contract, run, check, close}`: the contract of that graph, `run(inputs, names)`, from tensors to tensors
 * `{type, dims, data}` by name, `close()`, which frees its memory, and `check()`, which refuses once that was called.
 */
export async function openSession(opened, ort, options, kind = "default") {
  const name = Object.hasOwn(opened.contract.graphs, kind) ? opened.contract.graphs[kind] : undefined;
  if (name === undefined)
    throw new InputError(
      `${opened.where} has no certified graph; binary, multiclass and regression may be exported with --certified`,
    );
  const bytes = await opened.read(name);
  const external = checkInside(opened, bytes, `${opened.where}/${name}`);
  const contract = kind === "certified" ? certifiedContract(opened.contract) : opened.contract;
  const given = { ...options, ...(await weightsOptions(opened, external, ort)) };
  const session = await ort.InferenceSession.create(bytes, given).catch((error) => {
    throw new FormatError(`${opened.where}/${name} cannot be loaded (${firstLine(error)}); update onnxruntime`);
  });
  try {
    checkInterface(session, contract, `${opened.where}/${name}`);
  } catch (error) {
    await session.release();
    throw error;
  }
  return { contract, ...queued(session, (...request) => runSession(session, ort, contract, ...request)) };
}

// The contract inside the model must be the one beside it: swapped classes would change no digest that is pinned
// nowhere, and no expected output. Returns the graph's tensors that lie in weights.bin.
function checkInside(opened, bytes, where) {
  const { metadata, external } = scanModel(bytes, where);
  checkExternal(external, opened.tensors, where);
  const inside = metadata.get("parity.contract");
  let same = false;
  try {
    same = sameJson(JSON.parse(inside), opened.contractJson);
  } catch {} // no JSON there: not the same
  if (!same)
    throw new DigestError(`${opened.where}: contract.json and the contract inside the model disagree; export again`);
  return external;
}

function checkInterface(session, contract, where) {
  for (const [side, specs] of [
    ["input", contract.inputs],
    ["output", contract.outputs],
  ]) {
    const wanted = specs.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape.join(", ")}]`);
    const found = session[`${side}Metadata`].map(({ name, type, shape }) => `${name}: ${type}[${shape?.join(", ")}]`);
    const at = wanted.findIndex((text, index) => text !== found[index]);
    if (at >= 0 || wanted.length !== found.length) {
      const [one, other] = at >= 0 ? [found[at] ?? "nothing", wanted[at]] : [found[wanted.length], "nothing"];
      throw new FormatError(
        `${where} has the ${side} ${one} where the contract says ${other}; export the package again`,
      );
    }
  }
}

async function runSession(session, ort, contract, inputs, names) {
  const empty = Object.entries(inputs).find(([, { dims }]) => sizeOf(dims) === 0);
  // Some of onnxruntime's kernels abort the whole process on an empty sequence.
  if (empty)
    throw new InputError(`the input ${empty[0]} has the shape [${empty[1].dims.join(", ")}]; give at least one row`);
  checkTexts(inputs);
  const tensors = Object.entries(inputs).map(([name, { type, data, dims }]) => [
    name,
    new ort.Tensor(type, data, dims),
  ]);
  const outputs = await session.run(Object.fromEntries(tensors), names ?? contract.outputs.map(({ name }) => name));
  checkLabels(contract, outputs);
  return outputs;
}

// What onnxruntime would cut may be another text that the model knows.
function checkTexts(inputs) {
  for (const [name, { type, data }] of Object.entries(inputs)) {
    const bad = type === "string" ? data.find((text) => element("string", text) === undefined) : undefined;
    if (bad !== undefined)
      throw new InputError(
        `the input ${name} holds ${shown(bad)}, which has a zero character or half a surrogate pair in it; correct it`,
      );
  }
}

// onnxruntime-web refuses a second run while the first one goes on, and a session that goes while it runs ends the process.
function queued(session, work) {
  let last = Promise.resolve();
  let closed;
  const check = () => {
    if (closed) throw new InputError("the session was closed; open the package again");
  };
  const run = async (...request) => {
    check();
    const outputs = last.then(() => work(...request));
    last = outputs.catch(() => {});
    return outputs;
  };
  return { run, check, close: () => (closed ??= last.then(() => session.release())) };
}
