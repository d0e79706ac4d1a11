// What several pictures draw with.

export function clip(context, { left, top, right, bottom }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  draw();
  context.restore();
}

export function ring(context, x, y, radius, width, color) {
  context.lineWidth = width;
  context.strokeStyle = color;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

/** A canvas of size x size pixels, each of a colour `[red, green, blue]`, or of none where there is null. */
export function pixels(size, colorOf) {
  const image = new ImageData(size, size);
  for (let cell = 0; cell < size * size; cell++) {
    const color = colorOf(cell);
    if (color) image.data.set([...color, 255], cell * 4);
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The centres of size x size cells over a view `{x: [low, high], y: [low, high]}`, row by row from the top. */
export function cells({ x, y }, size) {
  const at = ([low, high], index) => low + ((high - low) * (index + 0.5)) / size;
  return Array.from({ length: size * size }, (_, cell) => [
    at(x, cell % size),
    at(y, size - 1 - Math.floor(cell / size)),
  ]);
}

/** The test vectors' inputs, `{x, y, color}`: filled where they lie in the picture, hollow where only some of their features do. */
export function paintPoints(context, frame, points, filled, colors) {
  clip(context, frame, () => {
    for (const { x, y, color } of points) {
      ring(context, frame.toX(x), frame.toY(y), 5, 6, colors.paper);
      ring(context, frame.toX(x), frame.toY(y), 5, filled ? 2 : 3, filled ? colors.ink : color);
      context.fillStyle = filled ? color : colors.paper;
      context.fill();
    }
  });
}

/** Lines through a place of the plane; of a curve one line, and a mark on each curve. */
export function paintCrossHair(context, frame, x, heights, { flat, colors }) {
  const column = frame.toX(x);
  const rows = heights.map(frame.toY);
  clip(context, frame, () => {
    for (const [width, color] of [
      [3, colors.paper],
      [1, colors.ink],
    ]) {
      context.lineWidth = width;
      context.strokeStyle = color;
      context.globalAlpha = width > 1 ? 0.45 : 0.8;
      context.beginPath();
      context.moveTo(column, frame.top);
      context.lineTo(column, frame.bottom);
      for (const row of flat ? [] : rows) {
        context.moveTo(frame.left, row);
        context.lineTo(frame.right, row);
      }
      context.stroke();
    }
    context.globalAlpha = 1;
    for (const row of rows) {
      ring(context, column, row, flat ? 5 : 8, 4, colors.paper);
      ring(context, column, row, flat ? 5 : 8, 2, colors.ink);
    }
  });
}
