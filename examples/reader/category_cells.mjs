// A cell as a category, the text that the graph looks up, and as a truth value, 1 or 0.

import { cellNumber, isMissing, strip } from "./missing_cells.mjs";

/** A missing cell in an input of text. */
export const MISSING_CATEGORY = "";

const INTEGER = /^(-?(?:0|[1-9][0-9]*))(?:\.0*)?$/;
const SMALL = 20; // digits; a larger code is no number that stands for a missing cell

/**
 * A cell of text as a category: text as it stands; of a column of codes an integer's shortest decimal (`3` for `3.0`),
 * and anything else as its own text, which is unknown to the model. A missing cell is empty.
 */
export function categoryText(cell, kind, missing) {
  if (isMissing(cell, missing, kind === "code")) return MISSING_CATEGORY;
  const found = kind === "code" ? INTEGER.exec(strip(cell)) : null;
  if (!found) return cell;
  const code = found[1] === "-0" ? "0" : found[1];
  return code.length < SMALL && missing.numbers.includes(Number(code)) ? MISSING_CATEGORY : code;
}

/** A cell of text as 1 (`true` in any case, or 1), 0 or NaN (missing); undefined where it is neither. */
export function truthValue(cell, missing) {
  const word = strip(cell).toLowerCase();
  if (word === "true" || word === "false") return word === "true" ? 1 : 0;
  const number = cellNumber(cell, missing);
  return number === 0 || number === 1 || Number.isNaN(number) ? number : undefined;
}

/** A typed cell as text, as Parity writes it: `true`, `3` for 3.0, `1e-07`; undefined where it is no text. */
export function valueText(value) {
  if (typeof value === "string") return value;
  if (value === null || Number.isNaN(value)) return MISSING_CATEGORY;
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value !== "number") return undefined;
  if (Number.isInteger(value)) return String(BigInt(value));
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Math.abs(value) < 1e-4 ? value.toExponential().replace(/-(\d)$/, "-0$1") : String(value);
}
