// Tensors as onnxruntime's JavaScript has them, `{type, dims, data}`, from plain numbers and texts.

import { FormatError, InputError } from "./errors.mjs";

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** The element types that a contract may name; this reader hands over no float16, which JavaScript may not have. */
export const DTYPES = new Set([...Object.keys(ARRAYS), "float16", "string"]);

const UNSAFE = /[\0\p{Cs}]/u; // onnxruntime's JavaScript ends a text at a zero, and replaces half a surrogate pair
const WHOLE = /^(0|-?[1-9][0-9]{0,18})$/;

export const sizeOf = (dims) => dims.reduce((product, size) => product * size, 1);

/**
 * A value as an element of that type: itself, or a BigInt. Fractions are rounded to float32; what would change the value
 * is undefined: text for a number, an integer out of range, a finite number that is infinite in float32, a text that
 * onnxruntime would cut.
 */
export function element(dtype, value) {
  if (dtype === "string") return typeof value === "string" && !UNSAFE.test(value) ? value : undefined;
  if (dtype === "bool") return typeof value === "boolean" ? value : undefined;
  if (dtype === "int64" && typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : undefined;
  if (typeof value !== "number") return undefined;
  if (dtype === "int64") return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (dtype === "float64") return value;
  if (dtype === "float32") return Number.isFinite(Math.fround(value)) === Number.isFinite(value) ? value : undefined;
  return new ARRAYS[dtype]([value])[0] === value ? value : undefined;
}

/** Values as a typed array of that element type, texts as an array; `what` names them in messages. */
export function typedArray(dtype, values, what) {
  const kind = dtype === "string" ? Array : ARRAYS[dtype];
  if (!kind) throw new InputError(`${what} is ${dtype}, which JavaScript cannot hold; use another runtime`);
  if (kind !== Array && values instanceof kind) return values;
  const bad = Array.prototype.findIndex.call(values, (value) => element(dtype, value) === undefined);
  if (bad >= 0) throw new InputError(`${what} holds ${shown(values[bad])}, which ${dtype} cannot hold; correct it`);
  return kind.from(values, (value) => element(dtype, value));
}

/** A value as a message shows it. */
export const shown = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

/**
 * Reads `{"dtype", "shape", "data"}`: parsed as double and rounded to float32, the bits are the recorded ones. Integers
 * beyond 2^53 are texts there.
 */
export function tensorFromJson(value, where) {
  const { dtype, shape, data } = value ?? {};
  const sizes = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
  const plain = Array.isArray(data) && data.every((item) => isPlain(dtype, item));
  if (!DTYPES.has(dtype) || !sizes || !plain || data.length !== sizeOf(shape)) {
    throw new FormatError(`${where} is not a tensor written as {dtype, shape, data}; export the package again`);
  }
  try {
    const values = dtype === "int64" ? data.map((item) => (typeof item === "string" ? BigInt(item) : item)) : data;
    return { type: dtype, dims: shape, data: typedArray(dtype, values, where) };
  } catch (error) {
    throw new FormatError(error.message);
  }
}

function isPlain(dtype, item) {
  if (dtype === "string") return typeof item === "string";
  return typeof item === "boolean" || Number.isFinite(item) || (dtype === "int64" && WHOLE.test(item));
}
