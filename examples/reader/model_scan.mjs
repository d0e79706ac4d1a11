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
  tensor: { 13: "external" },
  external: {},
};
const STANDARD = new Set(["", "ai.onnx", "ai.onnx.ml"]);
// Where runtimes have kernels of their own, which they prefer to a function of the same name in the file.
const RUNTIME =
  /^(|(ai\.onnx|com\.microsoft|com\.ms|com\.amd|com\.intel|com\.nvidia|com\.xilinx|org\.pytorch|trt)(\..*)?)$/su;
const ORT_FORMAT = "ORTM"; // at byte 4; onnxruntime would read a flatbuffer in place of the ModelProto
const MOST_FIELDS = 2 ** 20; // a graph of 100,000 nodes has about a million
const [NAME, DATA_LOCATION] = [8, 14]; // of a TensorProto
const PLACES = ["location", "offset", "length"];
const EXTERNAL = 1; // a data location
const METADATA = 14; // of a ModelProto
const DEEPEST = 100; // protobuf's own limit
const utf8 = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

/**
 * Returns the model's `metadata`, its metadata_props as a Map, and `external`: of each initializer of the main graph whose
 * data lie in another file a name and {location, offset, length}. Refuses other data outside the file, and operators that
 * are not standard.
 */
export function scanModel(model, where) {
  if (String.fromCharCode(...model.subarray(4, 8)) === ORT_FORMAT)
    throw new FormatError(`${where} is in onnxruntime's own format (.ort); a package holds an ONNX model`);
  const [metadata, operators, functions] = [new Map(), new Map(), new Map()];
  const found = { metadata, operators, functions, external: new Map(), names: new Map(), fields: 0, graphs: 0 };
  try {
    walk("model", model, found, []);
    if (found.graphs === 0) throw new Error("it does not hold a graph");
  } catch (error) {
    throw new FormatError(`${where} is not an ONNX model (${firstLine(error)}); copy the package again`);
  }
  if (found.outside || [...found.external.keys()].some((name) => found.names.get(name) !== 1))
    throw new FormatError(`${where} keeps a tensor outside the file; a package holds all its data itself`);
  const replaced = [...found.functions.values()].find(({ domain }) => RUNTIME.test(domain));
  if (replaced)
    throw new FormatError(
      `${where} defines the function ${replaced.domain}.${replaced.name}, but onnxruntime would run a kernel of its own instead; export again`,
    );
  const custom = [...found.operators].find(([key]) => !found.functions.has(key))?.[1];
  if (custom)
    throw new FormatError(
      `${where} uses the operator ${custom.domain}.${custom.name}; replace it with operators of the ONNX standard and export again`,
    );
  return found;
}

// `above` are the kinds of the messages that this one lies in.
function walk(kind, message, found, above) {
  if (above.length > DEEPEST) throw new Error(`its messages are nested more than ${DEEPEST} deep`);
  const named = { domain: "", name: "", location: 0, external: undefined };
  for (const [number, value] of fields(message)) {
    if (kind === "tensor" && number === DATA_LOCATION && value !== 0) named.location = value;
    if (typeof value === "number") continue;
    if (++found.fields > MOST_FIELDS) throw new Error(`it has more than ${MOST_FIELDS} parts`);
    const child = CHILDREN[kind][number];
    if (child === "external") readExternal(value, named);
    else if (child) walk(child, value, found, [...above, kind]);
    else readField(kind, number, value, named, found);
  }
  const key = JSON.stringify([named.domain, named.name]); // either may hold a dot
  if (kind === "graph") found.graphs++;
  if (kind === "node" && !STANDARD.has(named.domain)) found.operators.set(key, named);
  if (kind === "function") found.functions.set(key, named);
  if (kind === "tensor") leaveTensor(named, found, above.join() === "model,graph");
}

function leaveTensor({ name, location, external }, found, ofMainGraph) {
  if (ofMainGraph) found.names.set(name, (found.names.get(name) ?? 0) + 1);
  if (location === 0 && !external) return;
  if (ofMainGraph && location === EXTERNAL && external) found.external.set(name, external);
  else found.outside = true;
}

function readExternal(entry, named) {
  const { 1: key = new Uint8Array(), 2: text = new Uint8Array() } = Object.fromEntries(fields(entry));
  named.external ??= {};
  if (!PLACES.includes(utf8(key))) throw new Error(`a tensor has the unknown key ${utf8(key)} in its external_data`);
  if (Object.hasOwn(named.external, utf8(key)))
    throw new Error(`a tensor has the key ${utf8(key)} twice in its external_data`);
  named.external[utf8(key)] = utf8(text);
}

function readField(kind, number, value, named, found) {
  if (kind === "model" && number === METADATA) {
    const { 1: key = new Uint8Array(), 2: text = new Uint8Array() } = Object.fromEntries(fields(value));
    found.metadata.set(utf8(key), utf8(text));
  }
  if (kind === "tensor" && number === NAME) named.name = utf8(value);
  if ((kind === "node" && number === 4) || (kind === "function" && number === 1)) named.name = utf8(value);
  if ((kind === "node" && number === 7) || (kind === "function" && number === 10)) named.domain = utf8(value);
}

// Yields a message's fields: the number, and a number or the bytes.
function* fields(message) {
  const cursor = { at: 0 };
  while (cursor.at < message.length) {
    const key = varint(message, cursor);
    const wire = key % 8;
    const number = Math.floor(key / 8);
    // Other readers cut off the upper bits of such a number, and would find another field.
    if (number < 1 || number >= 2 ** 29) throw new Error(`a field has the number ${number}`);
    const value = wire === 0 || wire === 2 ? varint(message, cursor) : 0;
    const size = [0, 8, value, undefined, undefined, 4][wire];
    if (size === undefined) throw new Error(`a field has the wire type ${wire}`);
    if (size > message.length - cursor.at) throw new Error("a field reaches beyond its message");
    const start = cursor.at;
    cursor.at += size;
    yield [number, wire === 0 ? value : message.subarray(start, cursor.at)];
  }
}

// A double: beyond 2^53 it is not exact, and larger than any number of a field or size of a message all the same.
function varint(message, cursor) {
  let value = 0;
  for (let index = 0, factor = 1; index < 10; index++, factor *= 128) {
    const byte = message[cursor.at++];
    if (byte === undefined) throw new Error("it ends within a number");
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
  throw new Error("a number has more than 10 bytes");
}
