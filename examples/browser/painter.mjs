// The canvas: the picture on a layer of its own, painted when the view changes, and the cross-hair over it.

import { heightsAt } from "./curve.mjs";
import { paintCrossHair, paintPoints } from "./drawing.mjs";
import { drawAxes, frameOf } from "./frame.mjs";
import { hasProbabilities } from "./one_label.mjs";
import { pageColors } from "./palette.mjs";
import { pictureOf } from "./pictures.mjs";
import { paintTrainingRange } from "./training_range.mjs";

const SMALLEST = 80; // pixels: the axes alone take sixty
const SLOW = 150; // milliseconds that the predictions for a whole picture may take
const COARSEST = 0.2; // of the points that a picture has at most, along each axis

export class Painter {
  #layer = document.createElement("canvas");
  #fineness = 1;

  constructor(canvas, { predict, contract, features, points }) {
    Object.assign(this, { canvas, predict, contract, features, points });
  }

  /** Predicts over the view and paints the picture; `painted` says what of. */
  async paint({ view, axes, point, target }) {
    const picture = pictureOf(this.contract, axes);
    const size = Math.floor(picture.most * this.#fineness);
    const grid = picture.grid(view, size);
    const started = performance.now();
    const predictions = await this.predict(grid, { point, axes });
    const slower = (performance.now() - started) / SLOW;
    if (slower > 1) this.#fineness = Math.max(COARSEST, this.#fineness / slower ** (1 / axes.length));
    const read = picture.read(predictions, { contract: this.contract, view, size, target });
    this.painted = { axes, grid, target, ...read };
    this.#draw(picture);
    this.canvas.dataset.view = JSON.stringify(view); // for scripts that look at the page
  }

  #draw(picture) {
    const { view, axes, target } = this.painted;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.frame = undefined; // nothing is drawn while the page is hidden; its observer paints when it is shown
    if (width < SMALLEST || height < SMALLEST) return;
    const context = this.#fresh(this.#layer, width, height);
    this.#fresh(this.canvas, width, height);
    this.frame = frameOf(width, height, view);
    this.colors = pageColors();
    picture.draw(context, this.frame, this.painted, this.colors);
    const names = axes.map((axis) => this.features[axis].name);
    const upward = hasProbabilities(this.contract) ? "probability" : this.contract.targets[target];
    drawAxes(context, this.frame, view, [...names, upward], this.colors);
    const ranges = axes.map((axis) => this.features[axis].range);
    paintTrainingRange(context, this.frame, ranges, this.colors);
    const points = picture.points(this.points, axes, this.painted);
    paintPoints(context, this.frame, points, this.features.length === axes.length, this.colors);
  }

  // Sized in the screen's own pixels, drawn on in CSS pixels.
  #fresh(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return context;
  }

  /** Where a point of the picture stands in the window, in CSS pixels; over one number at the top. */
  pixelAt(point) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const [x, y] = this.painted.axes.map((axis) => point[axis]);
    return [left + this.frame.toX(x), top + (y === undefined ? this.frame.top : this.frame.toY(y))];
  }

  drawCrossHair(point) {
    if (!this.frame) return;
    const context = this.canvas.getContext("2d");
    const { clientWidth: width, clientHeight: height } = this.canvas;
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#layer, 0, 0, width, height);
    const [x, y] = this.painted.axes.map((axis) => point[axis]);
    const flat = this.painted.axes.length === 1;
    const heights = flat ? heightsAt(this.painted, x) : [y];
    paintCrossHair(context, this.frame, x, heights, { flat, colors: this.colors });
  }
}
