// A cell of a row as a person reads it.

import { short } from "./dom.mjs";
import { MISSING_CATEGORY, isText, timestampText } from "./reader.mjs";

/** What stands for a text that training did not see. */
export const OTHER = "any other";
const MISSING = "missing";

export function cellText(feature, cell) {
  if (feature.kind === "datetime") return timestampText(cell);
  if (isText(feature)) return cell === MISSING_CATEGORY ? MISSING : categoryText(feature, cell);
  if (Number.isNaN(cell)) return MISSING;
  return feature.kind === "boolean" ? String(cell === 1) : short(cell);
}

// A category that is called as one of these words is told from them by its quotes.
function categoryText({ categories }, cell) {
  return categories.includes(cell) && [OTHER, MISSING].includes(cell) ? JSON.stringify(cell) : cell;
}
