// The decision boundary: probability as shade, the boundary as a line, what is not certified hatched.

import { cells, pixels } from "./drawing.mjs";
import { labelChanges } from "./label_changes.mjs";
import { isMultilabel, labelColor, labelPredictions } from "./one_label.mjs";
import { classColor, mix } from "./palette.mjs";

const PALEST = 0.14;
const STRONGEST = 0.78;
const HATCH = 6; // pixels from stripe to stripe

/** The picture of a classifier over two numbers. */
export const decisionBoundary = {
  most: 200, // cells across
  grid: cells,
  read(all, { contract, view, size, target }) {
    const isOne = isMultilabel(contract);
    const predictions = isOne ? labelPredictions(all, contract, target) : all;
    const changes = labelChanges(
      predictions,
      size,
      isOne ? contract.logit_thresholds[target] : contract.logit_threshold,
    );
    const colorOf = isOne ? labelColor(target) : classColor;
    const uncertified = Boolean(predictions.certified?.includes(0));
    return { view, size, predictions, labels: predictions.labels, colorOf, changes, uncertified };
  },
  draw(context, frame, { predictions, colorOf, changes, size }, colors) {
    const { left, top, right, bottom } = frame;
    context.drawImage(shades(predictions, colorOf, size, colors.paper), left, top, right - left, bottom - top);
    if (predictions.certified) hatch(context, frame, predictions.certified, size, colors);
    line(context, frame, changes, size, colors);
  },
  points: (points, [x, y], { colorOf, target }) =>
    points.map(({ point, labels }) => ({ x: point[x], y: point[y], color: colorOf(labels[target]) })),
};

function shades({ labels, probabilities }, colorOf, size, paper) {
  const classes = probabilities.length / labels.length;
  return pixels(size, (cell) => {
    const probability = probabilities[cell * classes + labels[cell]];
    const sure = Math.min(1, Math.max(0, (probability - 1 / classes) / (1 - 1 / classes)));
    return mix(paper, colorOf(labels[cell]), PALEST + (STRONGEST - PALEST) * sure);
  });
}

function hatch(context, frame, certified, size, colors) {
  const marked = pixels(size, (cell) => (certified[cell] ? null : [0, 0, 0]));
  const layer = document.createElement("canvas");
  layer.width = context.canvas.width;
  layer.height = context.canvas.height;
  const over = layer.getContext("2d");
  over.setTransform(context.getTransform());
  over.imageSmoothingEnabled = false;
  over.drawImage(marked, frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  over.globalCompositeOperation = "source-in";
  stripes(over, frame, colors);
  context.save();
  context.resetTransform();
  context.drawImage(layer, 0, 0);
  context.restore();
}

// One fill of both colours: a second one with "source-in" would take the first one away.
function stripes(context, { left, top, right, bottom }, colors) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = HATCH;
  const on = tile.getContext("2d");
  on.fillStyle = colors.paper;
  on.fillRect(0, 0, HATCH, HATCH);
  on.strokeStyle = colors.ink;
  on.lineWidth = 2;
  for (const shift of [-HATCH, 0, HATCH]) {
    on.moveTo(shift - 1, HATCH + 1);
    on.lineTo(shift + HATCH + 1, -1);
  }
  on.stroke();
  context.fillStyle = context.createPattern(tile, "repeat");
  context.fillRect(left, top, right - left, bottom - top);
}

// Within each square of four cells, the boundary goes from where it enters to where it leaves; where three classes
// meet, from the middle to each side.
function line(context, frame, changes, size, colors) {
  const sides = new Map(
    changes.map(({ from, to, share }) => [from * 2 + (to === from + 1 ? 0 : 1), place(frame, size, from, to, share)]),
  );
  context.strokeStyle = colors.ink;
  context.lineWidth = 1.75;
  context.beginPath();
  for (let cell = 0; cell < size * (size - 1); cell++) {
    if ((cell + 1) % size === 0) continue;
    const around = [cell * 2, (cell + 1) * 2 + 1, (cell + size) * 2, cell * 2 + 1]
      .map((side) => sides.get(side))
      .filter(Boolean);
    const middle = place(frame, size, cell, cell + size + 1, 0.5);
    const lines = around.length === 2 ? [around] : around.map((end) => [end, middle]);
    for (const [start, end] of lines) {
      context.moveTo(...start);
      context.lineTo(...end);
    }
  }
  context.stroke();
}

// The pixel at a share of the way from one cell to another.
function place({ left, top, right, bottom }, size, from, to, share) {
  const between = (one, other) => (one + (other - one) * share + 0.5) / size;
  const row = (cell) => Math.floor(cell / size);
  return [left + between(from % size, to % size) * (right - left), top + between(row(from), row(to)) * (bottom - top)];
}
