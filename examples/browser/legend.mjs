// What the colours of the picture mean.

import { byId, element, swatch } from "./dom.mjs";
import { classColor } from "./palette.mjs";
import { isClassifier } from "./reader.mjs";
import { term } from "./terms.mjs";

/** Says what is drawn of a picture that was painted (`Painter.painted`). */
export function showLegend(contract, painted, { certified, flat, ranged }) {
  const entries = isClassifier(contract) ? classes(contract) : values(contract, painted);
  const plane = painted.axes.length === 2;
  if (plane || !isClassifier(contract)) entries.push(vectors(flat));
  if (plane && isClassifier(contract)) entries.push(boundary(certified && !painted.uncertified));
  if (ranged) entries.push([swatch(null, "dashed"), term("training range", "range of the training data")]);
  if (painted.uncertified)
    entries.push([
      swatch(null, "hatched"),
      term("certified", "not certified"),
      ": another runtime may give another label",
    ]);
  const items = entries.map(([mark, ...words]) => element("li", {}, mark, element("span", {}, ...words)));
  const legend = byId("legend");
  const text = items.map(({ outerHTML }) => outerHTML).join("");
  if (legend.innerHTML !== text) legend.replaceChildren(...items); // a word that has the focus keeps it
}

const classes = (contract) => contract.classes.map((name, index) => [swatch(classColor(index)), String(name)]);

function values({ targets }, { axes, target, low, high }) {
  if (axes.length === 1) return [[swatch(classColor(0), "line"), targets[target]]];
  const scale = element("span", { class: "scale", "aria-hidden": "true" });
  return [[scale, `${targets[target]}, ${rounded(low)} to ${rounded(high)} in this view`]];
}

function vectors(flat) {
  const word = term("test vectors");
  const kind = swatch(null, flat ? "point filled" : "point");
  return flat ? [kind, word] : [kind, word, ", most of them before or behind this slice"];
}

function boundary(isThin) {
  const word = term("decision boundary");
  if (!isThin) return [swatch(null, "line"), word];
  return [swatch(null, "line"), word, "; the ", term("uncertified band"), " along it is thinner than a pixel here"];
}

const rounded = (value) => String(Number(value.toPrecision(4)));
