// Which picture shows a model. Each has `grid(view, size)`, the points to predict; `read(predictions, shown)`, what is
// painted, with the view; `draw(context, frame, painted, colors)`; and `points(points, axes, painted)`, where the test
// vectors stand.

import { curve } from "./curve.mjs";
import { decisionBoundary } from "./decision_boundary.mjs";
import { heatMap } from "./heat_map.mjs";
import { isClassifier } from "./reader.mjs";

export function pictureOf(contract, axes) {
  if (axes.length === 1) return curve;
  return isClassifier(contract) ? decisionBoundary : heatMap;
}

/** The heading above it. */
export function pictureTitle(contract, axes) {
  if (isClassifier(contract)) return axes.length === 1 ? "The probability of each class" : "The decision boundary";
  return axes.length === 1 ? "The predicted value" : "The predicted value, as colour";
}
