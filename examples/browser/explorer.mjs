// What is seen of the plane and where the cross-hair is; what changes is painted, answered and said.

import { sayAnswer, showAnswer, showNone } from "./answer.mjs";
import { makeControls } from "./controls.mjs";
import { byId } from "./dom.mjs";
import { latest } from "./latest.mjs";
import { showLegend } from "./legend.mjs";
import { magnify } from "./magnify.mjs";
import { Painter } from "./painter.mjs";
import { asker } from "./plane.mjs";
import { listen } from "./pointer.mjs";
import { holding, wholeView, zoomed } from "./view.mjs";

const SAY_AFTER = 400; // milliseconds of rest: moving on is not a stream of words

export class Explorer {
  #axes = [0, 1];
  #hover = null; // where the pointer is, while it keeps nothing
  #none = null; // why nothing is answered, while what stands in a field is no number

  constructor(contract, { input, features }, { sessions, points, onError }) {
    this.contract = contract;
    this.features = features;
    this.proven = Boolean(sessions.certified);
    this.ask = asker({ input, features }, sessions);
    this.painter = new Painter(byId("canvas"), { ask: this.ask, contract, features, points });
    this.point = features.map(({ middle }) => Math.fround(middle));
    this.view = wholeView(features, this.#axes);
    this.paint = latest(() => this.#paint(), onError);
    this.answer = latest(() => this.#answer(), onError);
    this.showPoint = makeControls(features, this.#axes, {
      onPoint: (index, value) => this.enter(index, value),
      onNone: (reason) => this.showNone(reason),
      onLeave: () => this.leave(),
      onAxes: (axes) => this.turn(axes),
    });
    byId("certified-note").hidden = !this.proven;
    byId("unseen-note").hidden = features.some(({ seen }) => seen);
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
    byId("magnify").addEventListener("click", () => magnify(this).catch(onError));
    byId("magnify").hidden = !this.proven;
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
    const found = place && this.point.map((value, index) => Math.fround(place[this.#axes.indexOf(index)] ?? value));
    if (keep) this.point = found;
    this.#hover = keep ? null : found;
    this.answer();
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
    this.answer(); // before the plane is painted, which takes longer
    this.look(holding(this.view, this.at(this.point)));
  }

  /** A field is left: what is in use stands in it, and is answered. */
  leave() {
    if (this.#none) this.say("");
    this.#none = null;
    this.answer();
  }

  /** Nothing is answered, and no answer stays. */
  showNone(reason) {
    this.#none = reason;
    clearTimeout(this.saying);
    showNone(byId("answer"), reason);
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
    if (this.#seen() === this.painted) this.answer();
    else this.paint();
  }

  #seen() {
    return JSON.stringify([this.view, this.#axes, this.point.filter((_, index) => !this.#axes.includes(index))]);
  }

  async #paint() {
    const seen = this.#seen();
    await this.painter.paint({ view: this.view, axes: this.#axes, point: this.point });
    this.painted = seen;
    showLegend(this.contract, {
      proven: this.proven,
      flat: this.features.length === 2,
      seen: this.#axes.some((axis) => this.features[axis].seen),
      uncertified: this.painter.painted.uncertified,
    });
    await this.answer();
  }

  async #answer() {
    const point = this.#hover ?? this.point;
    this.painter.drawCrossHair(point);
    this.showPoint(point, this.#axes);
    if (this.#none) return;
    const answers = await this.ask(Float32Array.from(point));
    if (this.#none) return; // a field was emptied meanwhile
    showAnswer(byId("answer"), this.contract, answers, this.features, point);
    clearTimeout(this.saying);
    if (!this.#hover)
      this.saying = setTimeout(() => this.say(sayAnswer(this.contract, answers, this.features, point)), SAY_AFTER);
  }

  say(text) {
    byId("announcement").textContent = text;
  }
}
