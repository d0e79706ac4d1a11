// What the colours of the picture mean.

import { byId, element, swatch } from "./dom.mjs";
import { hasProbabilities, isMultilabel } from "./one_label.mjs";
import { FEW_CLASSES, classColor } from "./palette.mjs";
import { term } from "./terms.mjs";

/** Says what is drawn of a picture that was painted (`Painter.painted`). */
export function showLegend(contract, painted, { certified, flat, ranged }) {
  const isClassifier = hasProbabilities(contract);
  const plane = painted.axes.length === 2;
  const classes = isClassifier ? classEntries(contract, painted) : [];
  const entries = isClassifier ? [] : values(contract, painted);
  if (plane || !isClassifier) entries.push(vectors(flat));
  if (plane && isClassifier) entries.push(boundary(certified && !painted.uncertified));
  if (ranged) entries.push([swatch(null, "dashed"), term("training range", "range of the training data")]);
  if (painted.uncertified)
    entries.push([
      swatch(null, "hatched"),
      term("certified", "not certified"),
      ": another runtime may give another label",
    ]);
  list(byId("legend-classes"), classes);
  list(byId("legend"), entries);
}

function list(legend, entries) {
  const items = entries.map(([mark, ...words]) => element("li", {}, mark, element("span", {}, ...words)));
  const text = items.map(({ outerHTML }) => outerHTML).join("");
  if (legend.innerHTML !== text) legend.replaceChildren(...items); // a word that has the focus keeps it
  legend.hidden = items.length === 0;
  legend.classList.toggle("many", items.length > FEW_CLASSES);
  legend.tabIndex = items.length > FEW_CLASSES ? 0 : -1; // it may have to be scrolled
}

// The classes; of many only those that are predicted somewhere in the view, and how many are not.
function classEntries({ task, classes }, { axes, target, colorOf = classColor, labels }) {
  if (isMultilabel({ task })) return labelEntries(classes, axes, target, colorOf);
  const seen = new Set(labels);
  const shown = classes
    .map((name, index) => ({ name, index }))
    .filter(({ index }) => classes.length <= FEW_CLASSES || seen.has(index));
  const entries = shown.map(({ name, index }) => [swatch(colorOf(index)), String(name)]);
  const others = classes.length - shown.length;
  return others
    ? [...entries, [swatch(null), `not in this view: ${others} of the ${classes.length} classes`]]
    : entries;
}

function labelEntries(classes, axes, target, colorOf) {
  if (axes.length === 1) return classes.map((name, index) => [swatch(colorOf(index)), String(name)]);
  return [
    [swatch(colorOf(1)), String(classes[target])],
    [swatch(colorOf(0)), `without ${classes[target]}`],
  ];
}

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
