// JSON as a package holds it: UTF-8, one object, of a format that this reader knows.

import { FormatError, firstLine } from "./errors.mjs";

const FORMAT = 2; // "parity/2"

/** Parses bytes as one JSON object of a known format, or says why not. */
export function parseObject(bytes, where) {
  const value = parse(bytes, where);
  if (!isObject(value)) throw new FormatError(`${where} does not hold a JSON object; copy the package again`);
  checkFormat(value.format, where);
  return value;
}

export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are equal; the order of an object's keys means nothing. */
export function sameJson(one, other) {
  if (Array.isArray(one)) {
    return (
      Array.isArray(other) && one.length === other.length && one.every((item, index) => sameJson(item, other[index]))
    );
  }
  if (!isObject(one)) return one === other;
  const keys = Object.keys(one);
  return (
    isObject(other) &&
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && sameJson(one[key], other[key]))
  );
}

function parse(bytes, where) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new FormatError(`${where} is not valid JSON (${firstLine(error)}); copy the package again`);
  }
}

function checkFormat(found, where) {
  const number = typeof found === "string" ? /^parity\/([1-9][0-9]{0,5})$/.exec(found)?.[1] : undefined;
  if (number === undefined) {
    throw new FormatError(`${where} does not say "format": "parity/${FORMAT}"; it was not written by Parity`);
  }
  if (Number(number) > FORMAT) {
    throw new FormatError(`${where} has the format ${found}: it was written by a newer Parity; update this reader`);
  }
  if (Number(number) < FORMAT) {
    throw new FormatError(`${where} has the format ${found}, which an earlier Parity wrote; export the model again`);
  }
}
