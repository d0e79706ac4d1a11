// Which cells of a table of text are missing: the empty ones, and the contract's words for it.

const WORDS = ["NA", "#N/A", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>"];
const IN_NUMBERS = new Set(["-", "?", "."]);
/** A character that Parity's own reader takes for white space; trim() of JavaScript differs in some of it. */
export const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const AROUND = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");
const DECIMAL = /^[\t-\r\x1c-\x20]*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?[\t-\r\x1c-\x20]*$/i; // Number() takes 0x10 as well
const INFINITE = /^[\t-\r\x1c-\x20]*([+-]?)inf(inity)?[\t-\r\x1c-\x20]*$/i;

/** A cell without the white space around it. */
export const strip = (cell) => cell.replace(AROUND, "");

/** The words for a missing cell, and the numbers among them, which are missing by their value. */
export function missingCells({ missing_values: told }) {
  const words = new Set(told ?? WORDS);
  return { words, numbers: [...words].map(decimalNumber).filter((number) => number !== undefined) };
}

/** Whether a cell is missing; in columns of numbers and codes a few signs are as well. */
export function isMissing(cell, { words }, inNumbers = false) {
  const stripped = strip(cell);
  return stripped === "" || words.has(stripped) || (inNumbers && IN_NUMBERS.has(stripped));
}

/** A cell as a number, NaN where it is missing; undefined where it is neither. */
export function cellNumber(cell, missing) {
  const number = decimalNumber(cell);
  if (number === undefined) return isMissing(cell, missing, true) ? NaN : undefined;
  return missing.numbers.includes(number) ? NaN : number;
}

function decimalNumber(cell) {
  if (DECIMAL.test(cell)) return Number(cell);
  const infinite = INFINITE.exec(cell);
  return infinite ? Number(`${infinite[1]}Infinity`) : undefined;
}
