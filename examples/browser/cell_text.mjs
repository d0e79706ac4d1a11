// A cell of a row as a person reads it.

import { short } from "./dom.mjs";
import { MISSING_CATEGORY, isText, timestampText } from "./reader.mjs";

export function cellText(feature, cell) {
  if (feature.kind === "datetime") return timestampText(cell);
  if (isText(feature)) return cell === MISSING_CATEGORY ? "missing" : cell;
  if (Number.isNaN(cell)) return "missing";
  return feature.kind === "boolean" ? String(cell === 1) : short(cell);
}
