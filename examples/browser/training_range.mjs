// The range of the training data: which values of a point lie outside, said and drawn.

import { cellText } from "./cell_text.mjs";
import { outOfRange } from "./reader.mjs";

/** The places of the features whose value lies outside the range of the training data. */
export function outOfRangeAt(features, point) {
  return features.flatMap(({ range }, index) => (outOfRange(range, point[index]) ? [index] : []));
}

/** The same in words; empty where every feature is inside. */
export function outOfRangeText(features, point) {
  const named = outOfRangeAt(features, point).map((index) => {
    const [low, high] = features[index].range.map((end) => cellText(features[index], end));
    return `${features[index].name} (${low} to ${high})`;
  });
  return named.length > 0 ? `Outside the range of the training data: ${named.join(", ")}` : "";
}

/** Draws the range of two features as a dashed rectangle; of one alone as two lines. */
export function paintTrainingRange(context, { left, right, top, bottom, toX, toY }, [x, y], colors) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  context.setLineDash([5, 4]);
  context.strokeStyle = colors.ink;
  context.globalAlpha = 0.65;
  const [from, to] = x ? x.map(toX) : [left - 2, right + 2];
  const [low, high] = y ? y.map(toY) : [bottom + 2, top - 2];
  if (x || y) context.strokeRect(from, high, to - from, low - high);
  context.restore();
}
