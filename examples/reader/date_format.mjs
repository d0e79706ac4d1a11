// Dates in a format of their own, written as for Python's strptime: the directives whose fields are digits, month names
// in English, and AM and PM.

import { InputError } from "./errors.mjs";
import { SPACE } from "./missing_cells.mjs";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const PATTERNS = {
  Y: "\\d{4}",
  y: "\\d\\d",
  m: "1[0-2]|0[1-9]|[1-9]",
  d: "3[01]|[12]\\d|0[1-9]|[1-9]| [1-9]",
  b: MONTHS.join("|"),
  H: "2[0-3]|[01]\\d|\\d",
  I: "1[0-2]|0[1-9]|[1-9]",
  M: "[0-5]\\d|\\d",
  S: "6[01]|[0-5]\\d|\\d",
  f: "\\d{1,6}",
  p: "am|pm",
};
const PIECES = new RegExp(`%(.?)|${SPACE}+|.`, "gsu");
const CLASHES = ["Yy", "mb", "HI"]; // two of these say one thing
const isSpace = new RegExp(`^${SPACE}`);
const CENTURY = 69; // 69 is 1969 and 68 is 2068, as POSIX has it

/** Returns `parts(cell)`, the fields of a date in that format; `name` is the column that is written so. */
export function dateFormat(format, name) {
  const unknown = (what) =>
    new InputError(
      `the column ${name} holds dates in the format ${JSON.stringify(format)}, whose ${what} this reader does not know; use parity predict, or train with dates in ISO 8601`,
    );
  const letters = [];
  const pattern = format.replace(PIECES, (piece, letter) => {
    if (letter === "%") return "%";
    if (letter === undefined) return isSpace.test(piece) ? `${SPACE}+` : piece.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
    if (!Object.hasOwn(PATTERNS, letter) || letters.includes(letter)) throw unknown(piece);
    letters.push(letter);
    return `(${PATTERNS[letter]})`;
  });
  const clash = CLASHES.find((pair) => [...pair].every((letter) => letters.includes(letter)));
  if (clash) throw unknown(`%${clash[0]} beside %${clash[1]}`);
  const start = new RegExp(`^${pattern}`, "i"); // the whole of a cell, but no other way to read it is looked for
  return (cell) => {
    const found = start.exec(cell);
    if (found?.[0].length !== cell.length) return undefined;
    return fieldsOf(Object.fromEntries(letters.map((letter, at) => [letter, found[at + 1].toLowerCase()])));
  };
}

function fieldsOf({ Y, y, m = "1", d = "1", b, H, I, p, M = "0", S = "0" }) {
  const short = Number(y) + (Number(y) < CENTURY ? 2000 : 1900);
  return {
    year: Y === undefined && y === undefined ? 1900 : Number(Y ?? short),
    month: b === undefined ? Number(m) : MONTHS.indexOf(b) + 1,
    day: Number(d),
    hour: I === undefined ? Number(H ?? 0) : (Number(I) % 12) + (p === "pm" ? 12 : 0),
    minute: Number(M),
    second: Number(S),
  };
}
