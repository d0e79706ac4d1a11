// The form beside the plane: a number for each feature, and which two features the plane shows.

import { byId, element, short } from "./dom.mjs";
import { outOfRangeAt } from "./training_range.mjs";

/**
 * Makes the inputs; calls `onPoint(index, value)`, `onNone(reason)` while what stands there is no number, `onLeave()` when
 * it is left, and `onAxes([x, y])`. Returns how to show a point.
 */
export function makeControls(features, axes, { onPoint, onNone, onLeave, onAxes }) {
  const inputs = features.map(({ name }, index) => numberInput(name, { onPoint, onNone, onLeave }, index));
  byId("point").replaceChildren(
    ...inputs.map((input, index) => element("label", {}, element("span", {}, features[index].name), input)),
  );
  byId("point").addEventListener("submit", (event) => event.preventDefault());
  if (features.length > 2) makeAxes(features, axes, onAxes);
  return (point, [x, y]) => {
    const outside = outOfRangeAt(features, point);
    inputs.forEach((input, index) => {
      input.classList.toggle("fixed", index !== x && index !== y);
      input.classList.toggle("out-of-range", outside.includes(index));
      if (input !== document.activeElement) input.value = short(point[index]);
    });
  };
}

function numberInput(name, { onPoint, onNone, onLeave }, index) {
  const input = element("input", {
    type: "number",
    step: "any",
    name: `feature-${index}`,
    "aria-label": name,
    autocomplete: "off",
  });
  input.addEventListener("input", () => {
    const value = Math.fround(input.valueAsNumber);
    input.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value)) onPoint(index, value);
    else onNone(Number.isNaN(value) ? `Enter a number for ${name}` : `${name} is larger than float32 holds`);
  });
  input.addEventListener("blur", () => {
    input.setAttribute("aria-invalid", "false");
    onLeave(); // shows what is in use
  });
  return input;
}

function makeAxes(features, axes, onAxes) {
  const selects = ["axis-x", "axis-y"].map(byId);
  selects.forEach((select, side) => {
    select.replaceChildren(...features.map(({ name }, index) => element("option", { value: String(index) }, name)));
    select.value = String(axes[side]);
    select.addEventListener("change", () => {
      const chosen = selects.map(({ value }) => Number(value));
      if (chosen[0] === chosen[1]) selects[1 - side].value = String(axes[side]); // the two change places
      axes = selects.map(({ value }) => Number(value));
      onAxes(axes);
    });
  });
  byId("axes").hidden = false;
}
