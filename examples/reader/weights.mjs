// weights.bin: the large tensors of a package's graphs, which onnxruntime is given beside a graph, never finds by itself.

import { FormatError, InputError } from "./errors.mjs";
import { isObject } from "./json.mjs";

export const WEIGHTS = "weights.bin";
const ALIGNMENT = 4096;
const LARGEST = 2 ** 53;
const OLDEST = [1, 22]; // onnxruntime whose JavaScript takes externalData; an older one opens a file of that name

/** Reads the manifest's object `tensors`: a Map from names to {offset, length, sha256}, empty without weights.bin. */
export function readTensors(tensors, file, where) {
  if (tensors === undefined && !file) return new Map();
  if (!isObject(tensors) || !file)
    throw new FormatError(`${where} has only one of "tensors" and ${WEIGHTS}; copy the package again`);
  const placed = Object.entries(tensors).map(([name, entry]) => [name, checkEntry(name, entry, where)]);
  placed.sort(([, one], [, other]) => one.offset - other.offset);
  let end = 0;
  for (const [name, { offset, length }] of placed) {
    if (offset !== Math.ceil(end / ALIGNMENT) * ALIGNMENT)
      throw new FormatError(
        `${where}: the tensor ${name} overlaps another one, or does not begin at the next multiple of ${ALIGNMENT}; copy the package again`,
      );
    end = offset + length;
  }
  if (end !== file.size)
    throw new FormatError(
      `${where}: ${WEIGHTS} has ${file.size} bytes, and its tensors ${end}; copy the package again`,
    );
  return new Map(placed);
}

function checkEntry(name, entry, where) {
  const { offset, length, sha256 } = isObject(entry) ? entry : {};
  const size = (value) => Number.isInteger(value) && value >= 0 && value <= LARGEST;
  if (!size(offset) || !size(length) || length === 0 || typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    throw new FormatError(`${where}: ${name} is not written as {offset, length, sha256}; copy the package again`);
  return { offset, length, sha256 };
}

/** Refuses a graph that looks for a tensor elsewhere than where the manifest has it. */
export function checkExternal(external, tensors, where) {
  for (const [name, { location, offset = "0", length }] of external) {
    const entry = tensors.get(name);
    if (location !== WEIGHTS || !entry)
      throw new FormatError(
        `${where} keeps the tensor ${name} in the file ${JSON.stringify(location)}, but the manifest does not list it there; export the package again`,
      );
    if (offset !== String(entry.offset) || length !== String(entry.length))
      throw new FormatError(
        `${where} looks for the tensor ${name} elsewhere in ${WEIGHTS} than the manifest says; export the package again`,
      );
  }
}

/** The session options that hand over a package's weights.bin, its bytes checked; none for a graph without such tensors. */
export async function weightsOptions(opened, external, ort) {
  if (external.size === 0) return {};
  const found = ort.env?.versions?.common ?? "0.0";
  const [major, minor] = found.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new InputError(
      `${opened.where} keeps its weights in ${WEIGHTS}, which onnxruntime ${found} cannot read from memory; install ${OLDEST.join(".")} or later`,
    );
  return { externalData: [{ path: WEIGHTS, data: await opened.read(WEIGHTS) }] };
}
