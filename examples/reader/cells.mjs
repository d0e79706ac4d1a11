// A cell of a table as an element of the graph's input, by the kind of its column.

import { MISSING_CATEGORY, categoryText, truthValue, valueText } from "./category_cells.mjs";
import { cellNumber, isMissing, missingCells, strip } from "./missing_cells.mjs";
import { element } from "./tensors.mjs";
import { MISSING_TIMESTAMP, dateSeconds, timestampReader } from "./timestamp_cells.mjs";

/**
 * Returns `read(cell)`, from a cell as it stands in a table of text to a number (NaN where it is missing), a category
 * (empty) or seconds (a BigInt, `MISSING_TIMESTAMP`); undefined where the cell is none of the column's kind.
 */
export function cellReader(contract, feature) {
  const missing = missingCells(contract);
  const { kind, format, name } = feature;
  if (kind === "categorical" || kind === "code") return (cell) => element("string", categoryText(cell, kind, missing));
  if (kind === "boolean") return (cell) => truthValue(cell, missing);
  if (kind === "numeric") return (cell) => cellNumber(cell, missing);
  const seconds = timestampReader(format, name);
  return (cell) => (isMissing(cell, missing) ? MISSING_TIMESTAMP : seconds(strip(cell)));
}

/**
 * Returns `read(value)` for typed values: text is read as `cellReader` does, but for numbers; null is missing. Dates are
 * `Date` objects or text; a truth value is a boolean, 0 or 1, or text.
 */
export function valueReader(contract, feature) {
  const { kind } = feature;
  const read = cellReader(contract, feature);
  if (kind === "categorical" || kind === "code") {
    return (value) => {
      const text = valueText(value);
      return text === undefined ? undefined : read(text);
    };
  }
  if (kind === "datetime") return (value) => readMoment(value, read);
  if (kind === "boolean") return (value) => readTruth(value, read);
  const missing = missingCells(contract);
  return (value) => {
    if (typeof value === "string") return isMissing(value, missing, true) ? NaN : undefined;
    return value === null || missing.numbers.includes(value) ? NaN : value;
  };
}

/** Whether an element of a column's input is a missing cell. */
export function isMissingCell({ kind }, found) {
  if (kind === "datetime") return found === MISSING_TIMESTAMP;
  return kind === "categorical" || kind === "code" ? found === MISSING_CATEGORY : Number.isNaN(found);
}

/** Why a cell is none of its column's kind, and the way out. */
export function kindProblem({ kind, format }) {
  if (kind === "boolean") return "neither true nor false (nor 1 or 0); correct it";
  if (kind === "datetime" && format === null)
    return "not a date of the years 1 to 9999 in ISO 8601; write it as 2024-12-31 or 2024-12-31T23:59:59Z";
  if (kind === "datetime") return `not a date in the format ${JSON.stringify(format)} of the training data; correct it`;
  if (kind === "numeric") return "not a number; correct it or leave the row out";
  return "which holds a zero character or half a surrogate pair, where onnxruntime's JavaScript cuts text; correct it";
}

function readMoment(value, read) {
  if (value === null) return MISSING_TIMESTAMP;
  if (value instanceof Date) return dateSeconds(value);
  return typeof value === "string" ? read(value) : undefined;
}

function readTruth(value, read) {
  if (typeof value === "string") return read(value);
  if (value === null || Number.isNaN(value)) return NaN;
  return [0, 1, true, false, 0n, 1n].includes(value) ? Number(value) : undefined;
}

export { MISSING_CATEGORY, MISSING_TIMESTAMP };
