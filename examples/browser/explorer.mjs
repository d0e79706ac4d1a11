// Which part of the plane is shown and where the cross-hair is; what changes is painted, predicted and said.

import { coalesced } from "./coalesce.mjs";
import { makeControls } from "./controls.mjs";
import { byId } from "./dom.mjs";
import { predictor } from "./feature_plane.mjs";
import { showLegend } from "./legend.mjs";
import { Painter } from "./painter.mjs";
import { listen } from "./pointer.mjs";
import { predictionText, showNone, showPrediction } from "./prediction.mjs";
import { holding, wholeView, zoomed } from "./view.mjs";
import { zoomToBand } from "./zoom_to_band.mjs";

const SAY_AFTER = 400; // milliseconds of rest: moving on is not a stream of words

export class Explorer {
  #axes;
  #hover = null; // where the pointer is, while it keeps nothing
  #none = null; // why nothing is predicted, while what stands in a field is no value

  constructor(contract, plane, { sessions, points, onError }) {
    const { features, numbers } = plane;
    this.contract = contract;
    this.features = features;
    this.#axes = numbers.slice(0, 2);
    this.certified = Boolean(sessions.certified);
    this.predict = predictor(plane, sessions);
    this.painter = new Painter(byId("canvas"), { predict: this.predict, contract, features, points });
    this.point = features.map(({ value }) => value);
    this.view = wholeView(features, this.#axes);
    this.paint = coalesced(() => this.#paint(), onError);
    this.refresh = coalesced(() => this.#refresh(), onError);
    this.showPoint = makeControls(contract, plane, this.#axes, {
      onPoint: (index, value) => this.enter(index, value),
      onNone: (reason) => this.showNone(reason),
      onLeave: () => this.leave(),
      onAxes: (axes) => this.turn(axes),
    });
    byId("certified-note").hidden = !this.certified;
    byId("no-range-note").hidden = features.some(({ range }) => range);
    this.#wire(onError);
  }

  #wire(onError) {
    const onZoom = (factor) => this.look(zoomed(this.view, this.at(this.point), factor));
    const onWhole = () => this.look(wholeView(this.features, this.#axes));
    const canvas = byId("canvas");
    listen(canvas, () => this.painter.frame, {
      onZoom,
      onWhole,
      onHover: (place) => this.move(place, false),
      onKeep: (place) => this.move(place, true),
      onMove: (by) => this.step(by),
    });
    byId("zoom-in").addEventListener("click", () => onZoom(0.25));
    byId("zoom-out").addEventListener("click", () => onZoom(4));
    byId("whole").addEventListener("click", onWhole);
    byId("zoom-to-band").addEventListener("click", () => zoomToBand(this).catch(onError));
    byId("zoom-to-band").hidden = !this.certified;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  get axes() {
    return this.#axes;
  }

  /** Where a point stands on the plane. */
  at(point) {
    return this.#axes.map((axis) => point[axis]);
  }

  move(place, keep) {
    const moved = (value, side) => (side < 0 ? value : Math.fround(place[side]));
    const found = place && this.point.map((value, index) => moved(value, this.#axes.indexOf(index)));
    if (keep) this.point = found;
    this.#hover = keep ? null : found;
    this.refresh();
  }

  step([x, y]) {
    const [atX, atY] = this.at(this.point);
    const wide = ([low, high]) => high - low;
    this.move([atX + x * wide(this.view.x), atY + y * wide(this.view.y)], true);
    this.look(holding(this.view, this.at(this.point)));
  }

  enter(index, value) {
    this.#none = null;
    this.point = this.point.map((old, at) => (at === index ? value : old));
    this.refresh(); // before the plane is painted, which takes longer
    this.look(holding(this.view, this.at(this.point)));
  }

  /** A field is left: what is in use stands in it, and its prediction is shown. */
  leave() {
    if (this.#none) this.say("");
    this.#none = null;
    this.refresh();
  }

  /** Nothing is predicted, and no prediction stays. */
  showNone(reason) {
    this.#none = reason;
    clearTimeout(this.saying);
    showNone(byId("prediction"), reason);
    this.say(reason);
  }

  turn(axes) {
    this.#axes = axes;
    this.look(wholeView(this.features, axes));
  }

  /** Turns to another view. What was painted stands if neither the view nor the slice is another. */
  look(view) {
    this.view = view;
    this.#hover = null;
    if (this.#shown() === this.painted) this.refresh();
    else this.paint();
  }

  #shown() {
    const behind = this.point.filter((_, index) => !this.#axes.includes(index)).map(String);
    return JSON.stringify([this.view, this.#axes, behind]);
  }

  async #paint() {
    const shown = this.#shown();
    await this.painter.paint({ view: this.view, axes: this.#axes, point: this.point });
    this.painted = shown;
    showLegend(this.contract, {
      certified: this.certified,
      flat: this.features.length === 2,
      ranged: this.#axes.some((axis) => this.features[axis].range),
      uncertified: this.painter.painted.uncertified,
    });
    await this.refresh();
  }

  async #refresh() {
    const point = this.#hover ?? this.point;
    this.painter.drawCrossHair(point);
    this.showPoint(point, this.#axes);
    if (this.#none) return;
    const predictions = await this.predict([this.at(point)], { point, axes: this.#axes });
    if (this.#none) return; // a field was emptied meanwhile
    showPrediction(byId("prediction"), this.contract, predictions, this.features, point);
    clearTimeout(this.saying);
    if (!this.#hover)
      this.saying = setTimeout(
        () => this.say(predictionText(this.contract, predictions, this.features, point)),
        SAY_AFTER,
      );
  }

  say(text) {
    byId("announcement").textContent = text;
  }
}
