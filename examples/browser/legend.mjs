// What the colours on the plane mean.

import { byId, element, swatch } from "./dom.mjs";
import { classColor } from "./palette.mjs";

export function showLegend(contract, { proven, flat, seen, uncertified }) {
  const entries = contract.classes.map((name, index) => [classColor(index), "", String(name)]);
  entries.push([
    null,
    "point" + (flat ? " filled" : ""),
    flat ? "recorded inputs" : "recorded inputs, most of them before or behind this slice",
  ]);
  entries.push([
    null,
    "line",
    proven && !uncertified ? "boundary; the uncertified band along it is thinner than a pixel here" : "boundary",
  ]);
  if (seen) entries.push([null, "dashed", "what the model has seen in training"]);
  if (uncertified) entries.push([null, "hatched", "not certified: another runtime may give another label"]);
  byId("legend").replaceChildren(...entries.map(([color, kind, text]) => element("li", {}, swatch(color, kind), text)));
}
