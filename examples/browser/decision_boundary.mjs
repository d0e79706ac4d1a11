// Paints the plane: probability as shade, the boundary as a line, what is not certified hatched.

import { drawAxes } from "./frame.mjs";
import { classColor, mix } from "./palette.mjs";

const PALEST = 0.14;
const STRONGEST = 0.78;
const HATCH = 6; // pixels from stripe to stripe

/** What is painted of the grid, on a canvas of its own, so that the cross-hair moves over it without a new prediction. */
export function paintPlane(context, frame, { predictions, changes, size }, { view, names, colors }) {
  const { left, top, right, bottom } = frame;
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.drawImage(shades(predictions, size, colors.paper), left, top, right - left, bottom - top);
  if (predictions.certified) hatch(context, frame, predictions.certified, size, colors);
  line(context, frame, changes, size, colors);
  drawAxes(context, frame, view, names, colors);
}

/** The test vectors' inputs: filled where they lie in the plane, hollow where only two of their features do. */
export function paintPoints(context, frame, points, filled, colors) {
  clip(context, frame, () => {
    for (const { x, y, label } of points) {
      ring(context, frame.toX(x), frame.toY(y), 5, 6, colors.paper);
      ring(context, frame.toX(x), frame.toY(y), 5, filled ? 2 : 3, filled ? colors.ink : classColor(label));
      context.fillStyle = filled ? classColor(label) : colors.paper;
      context.fill();
    }
  });
}

export function paintCrossHair(context, frame, x, y, colors) {
  const [column, row] = [frame.toX(x), frame.toY(y)];
  clip(context, frame, () => {
    for (const [width, color] of [
      [3, colors.paper],
      [1, colors.ink],
    ]) {
      context.lineWidth = width;
      context.strokeStyle = color;
      context.beginPath();
      context.moveTo(column, frame.top);
      context.lineTo(column, frame.bottom);
      context.moveTo(frame.left, row);
      context.lineTo(frame.right, row);
      context.globalAlpha = width > 1 ? 0.45 : 0.8;
      context.stroke();
    }
    context.globalAlpha = 1;
    ring(context, column, row, 8, 4, colors.paper);
    ring(context, column, row, 8, 2, colors.ink);
  });
}

function shades({ labels, probabilities }, size, paper) {
  const image = new ImageData(size, size);
  const classes = probabilities.length / labels.length;
  labels.forEach((label, cell) => {
    const probability = probabilities[cell * classes + label];
    const sure = Math.min(1, Math.max(0, (probability - 1 / classes) / (1 - 1 / classes)));
    image.data.set([...mix(paper, classColor(label), PALEST + (STRONGEST - PALEST) * sure), 255], cell * 4);
  });
  return canvasOf(image);
}

function hatch(context, frame, certified, size, colors) {
  const image = new ImageData(size, size);
  certified.forEach((isCertified, cell) => image.data.set([0, 0, 0, isCertified ? 0 : 255], cell * 4));
  const layer = document.createElement("canvas");
  layer.width = context.canvas.width;
  layer.height = context.canvas.height;
  const over = layer.getContext("2d");
  over.setTransform(context.getTransform());
  over.imageSmoothingEnabled = false;
  over.drawImage(canvasOf(image), frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
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

function clip(context, { left, top, right, bottom }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  draw();
  context.restore();
}

function ring(context, x, y, radius, width, color) {
  context.lineWidth = width;
  context.strokeStyle = color;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function canvasOf(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
