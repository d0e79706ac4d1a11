// Which picture shows a model. Each has `grid(view, size)`, the points to predict; `read(predictions, shown)`, what is
// painted, with the view; `draw(context, frame, painted, colors)`; and `points(points, axes, painted)`, where the test
// vectors stand.

import { curve } from "./curve.mjs";
import { decisionBoundary } from "./decision_boundary.mjs";
import { heatMap } from "./heat_map.mjs";
import { hasProbabilities, isMultilabel } from "./one_label.mjs";

export function pictureOf(contract, axes) {
  if (axes.length === 1) return curve;
  return hasProbabilities(contract) ? decisionBoundary : heatMap;
}

/** What of the model a picture shows one of: the targets of a regression, or the labels of a multilabel model. */
export function choicesOf(contract, axes) {
  return isMultilabel(contract) && axes.length > 1 ? contract.classes.map(String) : contract.targets;
}

/** The heading above it. */
export function pictureTitle(contract, axes) {
  if (isMultilabel(contract))
    return axes.length === 1 ? "The probability of each label" : "The decision boundary of one label";
  if (hasProbabilities(contract)) return axes.length === 1 ? "The probability of each class" : "The decision boundary";
  return axes.length === 1 ? "The predicted value" : "The predicted value, as colour";
}
