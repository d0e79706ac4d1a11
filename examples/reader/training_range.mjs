// The range of the training data, of each feature whose range the contract knows.

import { MISSING_TIMESTAMP } from "./timestamp_cells.mjs";

/** A feature's range `[low, high]`, rounded to float32 where its cells are; null where the contract knows none. */
export function trainingRange({ low, high, dtype }) {
  const known = Number.isFinite(low) && Number.isFinite(high);
  return known ? [low, high].map((end) => (dtype === "float32" ? Math.fround(end) : end)) : null;
}

/** Whether a cell lies outside such a range. A missing cell does not, nor does any where there is no range, as of text. */
export function outOfRange(range, cell) {
  return Boolean(range) && cell !== MISSING_TIMESTAMP && (cell < range[0] || cell > range[1]);
}
