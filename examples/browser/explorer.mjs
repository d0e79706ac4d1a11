// Which part of the plane is shown and where the cross-hair is; what changes is painted, predicted and said.

import { coalesced } from "./coalesce.mjs";
import { makeControls } from "./controls.mjs";
import { byId } from "./dom.mjs";
import { showLegend } from "./legend.mjs";
import { Painter } from "./painter.mjs";
import { listen } from "./pointer.mjs";
import { predictionText, showNone, showPrediction, tipText } from "./prediction.mjs";
import { pictureTitle } from "./pictures.mjs";
import { hideTip, showTip } from "./tip.mjs";
import { holding, panned, wholeView, zoomed, zoomedAt } from "./view.mjs";
import { zoomToBand } from "./zoom_to_band.mjs";

const SAY_AFTER = 400; // milliseconds of rest: moving on is not a stream of words

export class Explorer {
  #axes;
  #hover = null; // where the pointer is, while it keeps nothing
  #none = null; // why nothing is predicted, while what stands in a field is no value

  /** Shows a plane along its first axes until `signal`; `predict` is the plane's `predictor`. */
  constructor(contract, plane, { axes, predict, certified, points, signal, onError }) {
    const { features } = plane;
    Object.assign(this, { contract, features, predict, certified, signal });
    this.#axes = axes;
    this.target = 0; // of a regression, or the label of a multilabel model
    this.painter = new Painter(byId("canvas"), { predict, contract, features, points });
    this.point = features.map(({ value }) => value);
    this.view = wholeView(features, axes);
    const report = (error) => signal.aborted || onError(error); // a closed session is no error of another package
    this.paint = coalesced(() => this.#paint(), report);
    this.refresh = coalesced(() => this.#refresh(), report);
    this.showPoint = makeControls(contract, plane, axes, {
      signal,
      onPoint: (index, value) => this.enter(index, value),
      onNone: (reason) => this.showNone(reason),
      onLeave: () => this.leave(),
      onAxes: (turned) => this.turn(turned),
      onTarget: (target) => this.turnTo(target),
    });
    byId("plane-title").textContent = pictureTitle(contract, axes);
    byId("certified-note").hidden = !certified || !plane.classifier;
    byId("band-note").hidden = true;
    byId("no-range-note").hidden = features.some(({ range }) => range);
    this.#wire(report);
  }

  #wire(report) {
    const onZoom = (factor) => this.look(zoomed(this.view, this.at(this.point), factor));
    const onWhole = () => this.look(wholeView(this.features, this.#axes));
    const { signal } = this;
    const canvas = byId("canvas");
    const click = (id, act) => byId(id).addEventListener("click", act, { signal });
    listen(canvas, () => this.painter.frame, {
      signal,
      onZoom,
      onWhole,
      onZoomAt: (place, factor) => this.look(zoomedAt(this.view, place, factor)),
      onPan: (shares) => this.look(panned(this.view, shares)),
      onHover: (place) => this.move(place, false),
      onKeep: (place) => this.move(place, true),
      onMove: (by) => this.step(by),
    });
    click("zoom-in", () => onZoom(0.25));
    click("zoom-out", () => onZoom(4));
    click("whole", onWhole);
    click("zoom-to-band", () => zoomToBand(this).catch(report));
    byId("zoom-to-band").hidden = !this.certified || this.contract.task === "regression" || this.#axes.length < 2;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint(), { signal });
    const resized = new ResizeObserver(() => this.paint());
    resized.observe(canvas);
    signal.addEventListener("abort", () => {
      resized.disconnect();
      hideTip();
    });
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

  step(shares) {
    const ends = Object.values(this.view);
    this.move(
      this.at(this.point).map((value, side) => value + shares[side] * (ends[side][1] - ends[side][0])),
      true,
    );
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

  /** Shows another target of a regression, or another label. */
  turnTo(target) {
    this.target = target;
    this.paint();
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
    if (this.signal.aborted) return;
    const shown = this.#shown();
    await this.painter.paint({ view: this.view, axes: this.#axes, point: this.point, target: this.target });
    this.painted = shown;
    showLegend(this.contract, this.painter.painted, {
      certified: this.certified,
      flat: this.features.length === this.#axes.length,
      ranged: this.#axes.some((axis) => this.features[axis].range),
    });
    await this.refresh();
  }

  async #refresh() {
    if (this.signal.aborted) return;
    const hover = this.#hover;
    const point = hover ?? this.point;
    if (!hover || this.#none) hideTip();
    this.painter.drawCrossHair(point);
    this.showPoint(point, this.#axes);
    if (this.#none) return;
    const predictions = await this.predict([this.at(point)], { point, axes: this.#axes });
    if (this.#none || this.signal.aborted) return; // a field was emptied meanwhile, or another package opened
    showPrediction(byId("prediction"), this.contract, predictions, this.features, point);
    if (hover && hover === this.#hover && this.painter.frame)
      showTip(this.painter.pixelAt(point), tipText(this.contract, predictions, this));
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
