// What is predicted at the pointer, beside it. Who does not see the page hears the kept point instead.

import { byId, placeBelow } from "./dom.mjs";

const AWAY = 12; // pixels to the right of the pointer

/** Shows a text beside a place of the window, `[x, y]` in CSS pixels. */
export function showTip([x, y], text) {
  const tip = byId("tip");
  tip.textContent = text;
  tip.hidden = false;
  placeBelow(tip, { left: x + AWAY, top: y, bottom: y });
}

export function hideTip() {
  byId("tip").hidden = true;
}
