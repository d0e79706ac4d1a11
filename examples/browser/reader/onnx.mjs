// What a serialized ONNX model says of itself, without an ONNX library: onnxruntime's JavaScript does not tell.
//
// A ModelProto is protocol-buffer messages within messages (field numbers: onnx.proto; encoding: protobuf.dev). The
// walk goes through those that can hold a tensor or an operator; a tensor's bytes are stepped over.

import { FormatError, firstLine } from "./errors.mjs";

const CHILDREN = {
  model: { 7: "graph", 20: "training", 25: "function" },
  training: { 1: "graph", 2: "graph" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: {},
};
const STANDARD = new Set(["", "ai.onnx", "ai.onnx.ml"]);
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14; // of a TensorProto
const METADATA = 14; // of a ModelProto
const DEEPEST = 100; // protobuf's own limit
const utf8 = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

/** Returns the model's metadata_props as a Map; refuses data outside the file, and operators that are not standard. */
export function scanModel(model, where) {
  const found = { metadata: new Map(), operators: new Map(), functions: new Set(), graphs: 0, outside: false };
  try {
    walk("model", model, found, 0);
    if (found.graphs === 0) throw new Error("it holds no graph");
  } catch (error) {
    throw new FormatError(`${where} is no ONNX model (${firstLine(error)}); copy the package again`);
  }
  if (found.outside)
    throw new FormatError(`${where} keeps a tensor outside the file; a package holds all its data itself`);
  const custom = [...found.operators].find(([key, domain]) => !STANDARD.has(domain) && !found.functions.has(key));
  if (custom) throw new FormatError(`${where} uses the operator ${custom[0]}; only those of the ONNX standard are run`);
  return found.metadata;
}

function walk(kind, message, found, depth) {
  if (depth > DEEPEST) throw new Error(`its messages are nested more than ${DEEPEST} deep`);
  const named = { domain: "", name: "" };
  for (const [number, value] of fields(message)) {
    if (kind === "tensor" && (number === EXTERNAL_DATA || (number === DATA_LOCATION && value !== 0n)))
      found.outside = true;
    if (typeof value === "bigint") continue;
    const child = CHILDREN[kind][number];
    if (child) walk(child, value, found, depth + 1);
    else take(kind, number, value, named, found);
  }
  const key = `${named.domain}.${named.name}`;
  if (kind === "graph") found.graphs++;
  if (kind === "node") found.operators.set(key, named.domain);
  if (kind === "function") found.functions.add(key);
}

function take(kind, number, value, named, found) {
  if (kind === "model" && number === METADATA) {
    const { 1: key = new Uint8Array(), 2: text = new Uint8Array() } = Object.fromEntries(fields(value));
    found.metadata.set(utf8(key), utf8(text));
  }
  if ((kind === "node" && number === 4) || (kind === "function" && number === 1)) named.name = utf8(value);
  if ((kind === "node" && number === 7) || (kind === "function" && number === 10)) named.domain = utf8(value);
}

// Yields a message's fields: the number, and a bigint or the bytes.
function* fields(message) {
  for (let at = 0; at < message.length;) {
    const key = varint(message, at);
    const wire = Number(key.value & 7n);
    const number = key.value >> 3n;
    at = key.at;
    // Other readers cut off the upper bits of such a number, and would find another field.
    if (number < 1n || number >= 2n ** 29n) throw new Error(`a field has the number ${number}`);
    const head = wire === 0 || wire === 2 ? varint(message, at) : { value: 0n, at };
    if (wire === 0) yield [Number(number), head.value];
    const size = { 0: 0, 1: 8, 2: Number(head.value), 5: 4 }[wire];
    if (size === undefined) throw new Error(`a field has the wire type ${wire}`);
    if (size > message.length - head.at) throw new Error("a field reaches beyond its message");
    at = head.at + size;
    if (wire !== 0) yield [Number(number), message.subarray(head.at, at)];
  }
}

function varint(message, start) {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = message[start + index];
    if (byte === undefined) throw new Error("it ends within a number");
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { value, at: start + index + 1 };
  }
  throw new Error("a number has more than 10 bytes");
}
