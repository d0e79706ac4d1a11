// The canvas: the plane on a layer of its own, painted when the view changes, and the cross-hair over it.

import { paintCrossHair, paintPlane, paintPoints } from "./decision_boundary.mjs";
import { cells } from "./feature_plane.mjs";
import { frameOf } from "./frame.mjs";
import { labelChanges } from "./label_changes.mjs";
import { pageColors } from "./palette.mjs";
import { paintTrainingRange } from "./training_range.mjs";

const MOST_CELLS = 200; // across
const FEWEST_CELLS = 40;
const SMALLEST = 80; // pixels: the axes alone take sixty
const SLOW = 150; // milliseconds that the predictions for all of them may take

export class Painter {
  #layer = document.createElement("canvas");
  #size = MOST_CELLS;

  constructor(canvas, { predict, contract, features, points }) {
    Object.assign(this, { canvas, predict, contract, features, points });
  }

  /** Predicts over the view and paints the plane; `painted` says what of. */
  async paint({ view, axes, point }) {
    const size = this.#size;
    const grid = cells(view, size);
    const started = performance.now();
    const predictions = await this.predict(grid, { point, axes });
    const slower = (performance.now() - started) / SLOW;
    if (slower > 1) this.#size = Math.max(FEWEST_CELLS, Math.floor(size / Math.sqrt(slower)));
    const changes = labelChanges(predictions, size, this.contract.logit_threshold);
    this.painted = { view, axes, grid, changes, uncertified: Boolean(predictions.certified?.includes(0)) };
    this.#draw({ predictions, changes, size });
  }

  #draw(plane) {
    const { view, axes } = this.painted;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.frame = undefined; // nothing is drawn while the page is hidden; its observer paints when it is shown
    if (width < SMALLEST || height < SMALLEST) return;
    const context = this.#fresh(this.#layer, width, height);
    this.#fresh(this.canvas, width, height);
    this.frame = frameOf(width, height, view);
    this.colors = pageColors();
    paintPlane(context, this.frame, plane, {
      view,
      names: axes.map((axis) => this.features[axis].name),
      colors: this.colors,
    });
    paintTrainingRange(
      context,
      this.frame,
      axes.map((axis) => this.features[axis].range),
      this.colors,
    );
    const points = this.points.map(({ point, label }) => ({ x: point[axes[0]], y: point[axes[1]], label }));
    paintPoints(context, this.frame, points, this.features.length === 2, this.colors);
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

  drawCrossHair(point) {
    if (!this.frame) return;
    const context = this.canvas.getContext("2d");
    const { clientWidth: width, clientHeight: height } = this.canvas;
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#layer, 0, 0, width, height);
    paintCrossHair(context, this.frame, ...this.painted.axes.map((axis) => point[axis]), this.colors);
  }
}
