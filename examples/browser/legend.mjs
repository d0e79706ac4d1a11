// What the colours on the plane mean.

import { byId, element, swatch } from "./dom.mjs";
import { classColor } from "./palette.mjs";

export function showLegend(contract, { certified, flat, ranged, uncertified }) {
  const entries = contract.classes.map((name, index) => [classColor(index), "", String(name)]);
  entries.push([
    null,
    "point" + (flat ? " filled" : ""),
    flat ? "test vectors" : "test vectors, most of them before or behind this slice",
  ]);
  entries.push([
    null,
    "line",
    certified && !uncertified
      ? "decision boundary; the uncertified band along it is thinner than a pixel here"
      : "decision boundary",
  ]);
  if (ranged) entries.push([null, "dashed", "range of the training data"]);
  if (uncertified) entries.push([null, "hatched", "not certified: another runtime may give another label"]);
  byId("legend").replaceChildren(...entries.map(([color, kind, text]) => element("li", {}, swatch(color, kind), text)));
}
