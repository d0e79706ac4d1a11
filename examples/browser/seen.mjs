// What the model has seen in training: the range of each feature that the contract knows, and what lies outside.

import { short } from "./dom.mjs";

/** A feature's range, its ends rounded to float32 as every number of the page is; null where the contract knows none. */
export function seenRange({ low, high }) {
  const known = Number.isFinite(low) && Number.isFinite(high);
  return known ? [Math.fround(low), Math.fround(high)] : null;
}

/** The places of the features that lie outside what was seen, at a point. */
export function outsideAt(features, point) {
  const outside = (seen, value) => seen !== null && !(seen[0] <= value && value <= seen[1]);
  return features.flatMap(({ seen }, index) => (outside(seen, point[index]) ? [index] : []));
}

/** The same in words; empty where every feature is inside. */
export function sayOutside(features, point) {
  const named = outsideAt(features, point).map((index) => {
    const { name, seen } = features[index];
    return `${name} (${short(seen[0])} to ${short(seen[1])})`;
  });
  return named.length > 0 ? `Outside what the model has seen in training: ${named.join(", ")}` : "";
}

/** Draws the range of two features as a dashed rectangle; of one alone as two lines. */
export function paintSeen(context, { left, right, top, bottom, toX, toY }, [x, y], colors) {
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
