// A table's cells as a model's numbers.

import { InputError, columns, element } from "parity-reader";

const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i; // Number() alone takes 0x10 as well
const WORD = /^\s*[+-]?(nan|inf|infinity)\s*$/i;

/** Where each feature stands in the table's header, in the graph's order. */
export function findFeatures(contract, header, where) {
  if (contract.task === "tensors" || contract.features.length === 0) {
    throw new InputError(`${contract.name} takes tensors, not rows of a table; use run() from a program`);
  }
  return columns(contract).map((feature) => {
    const at = header.indexOf(feature.name);
    if (at < 0)
      throw new InputError(
        `${where} has no column ${JSON.stringify(feature.name)}; it has ${JSON.stringify(header.slice(0, 20)).slice(1, -1)}`,
      );
    return { ...feature, at };
  });
}

/** The features of those rows, flat and row-major; `place(row)` names a row in messages. */
export function cellNumbers(rows, features, place) {
  return rows.flatMap(({ cells }, index) =>
    features.map((feature) => cellNumber(cells[feature.at], feature, () => place(index))),
  );
}

function cellNumber(cell, feature, place) {
  const number = parse(cell);
  const refused = (problem) => new InputError(`${place()}: ${feature.name} is ${JSON.stringify(cell)}, ${problem}`);
  if (number === undefined) throw refused("not a number; correct it or leave the row out");
  if (Number.isNaN(number)) {
    if (feature.missing === "refuse")
      throw refused("a missing cell, which this model does not take; fill it or leave the row out");
    return number;
  }
  if (!Number.isFinite(number)) throw refused("and this model takes finite numbers; correct it or leave the row out");
  if (element(feature.dtype, number) === undefined) throw refused(`which ${feature.dtype} cannot hold; correct it`);
  return number;
}

// An empty cell is missing: NaN. Undefined is no number.
function parse(cell) {
  if (cell.trim() === "") return NaN;
  if (DECIMAL.test(cell)) return Number(cell);
  if (!WORD.test(cell)) return undefined;
  return /nan/i.test(cell) ? NaN : Infinity;
}
