// The form beside the plane: a control for each feature, and which two numbers the plane shows.

import { OTHER, cellText } from "./cell_text.mjs";
import { byId, element, short } from "./dom.mjs";
import { MISSING_CATEGORY, MISSING_TIMESTAMP, cellReader, isText } from "./reader.mjs";
import { outOfRangeAt } from "./training_range.mjs";

/**
 * Makes the controls; calls `onPoint(index, value)`, `onNone(reason)` while what stands in one is no value, `onLeave()`
 * when it is left, and `onAxes([x, y])`. Returns how to show a point.
 */
export function makeControls(contract, { features, numbers }, axes, { onPoint, onNone, onLeave, onAxes }) {
  const controls = features.map((feature, index) => {
    const onValue = (value) => onPoint(index, value);
    return controlOf(contract, feature, { name: `feature-${index}`, onValue, onNone, onLeave });
  });
  byId("point").replaceChildren(
    ...controls.map(({ control }, index) =>
      element("label", {}, element("span", {}, labelOf(features[index])), control),
    ),
  );
  byId("point").addEventListener("submit", (event) => event.preventDefault());
  if (numbers.length > 2) makeAxes(features, numbers, axes, onAxes);
  return (point, [x, y]) => {
    const outside = outOfRangeAt(features, point);
    controls.forEach(({ control, show }, index) => {
      control.classList.toggle("fixed", index !== x && index !== y);
      control.classList.toggle("out-of-range", outside.includes(index));
      if (control !== document.activeElement) show(point[index]);
    });
  };
}

const labelOf = ({ name, kind }) => (kind === "datetime" ? `${name}, UTC` : name);

function controlOf(contract, feature, options) {
  if (feature.kind === "numeric") return numberInput(feature, options);
  if (feature.kind === "datetime") return dateInput(contract, feature, options);
  return choice(feature, options);
}

function numberInput({ name: label }, { name, onValue, onNone, onLeave }) {
  const control = inputOf("number", label, { name, step: "any" }, onLeave);
  control.addEventListener("input", () => {
    const value = Math.fround(control.valueAsNumber);
    control.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value)) onValue(value);
    else onNone(Number.isNaN(value) ? `Enter a number for ${label}` : `${label} is larger than float32 holds`);
  });
  return { control, show: (value) => (control.value = short(value)) };
}

// A date and a time in UTC; nothing at all is a missing one, where the model takes that.
function dateInput(contract, feature, { name, onValue, onNone, onLeave }) {
  const limits = { min: "0001-01-01T00:00:00", max: "9999-12-31T23:59:59" };
  const control = inputOf("datetime-local", feature.name, { name, step: "1", ...limits }, onLeave);
  const read = cellReader(contract, { ...feature, format: null });
  const orNothing = feature.missing === "impute" ? ", or nothing for a missing one" : "";
  const enter = () => {
    const found = control.validity.badInput ? undefined : read(control.value);
    const value = found === MISSING_TIMESTAMP && feature.missing === "refuse" ? undefined : found;
    control.setAttribute("aria-invalid", String(value === undefined));
    if (value !== undefined) onValue(value);
    else onNone(`Enter a date for ${feature.name}${orNothing}`);
  };
  control.addEventListener("input", enter);
  // A date that is begun is no input yet: its value is as empty as it was.
  control.addEventListener("keyup", () => control.validity.badInput && enter());
  const show = (value) => {
    control.value = value === MISSING_TIMESTAMP ? "" : cellText(feature, value).replace(/Z$/, "");
  };
  return { control, show };
}

function inputOf(type, label, attributes, onLeave) {
  const control = element("input", { type, ...attributes, "aria-label": label, autocomplete: "off" });
  control.addEventListener("blur", () => {
    control.setAttribute("aria-invalid", "false");
    onLeave(); // shows what is in use
  });
  return control;
}

// The values that a feature may have: true and false, or the vocabulary and a text that is not in it; and a missing one.
function choice(feature, { name, onValue }) {
  const values = isText(feature) ? [...feature.categories, otherText(feature)] : [1, 0];
  if (feature.missing === "impute") values.push(isText(feature) ? MISSING_CATEGORY : NaN);
  const texts = values.map((value, index) =>
    isText(feature) && index === feature.categories.length ? OTHER : cellText(feature, value),
  );
  const options = texts.map((text, index) => element("option", { value: String(index) }, text));
  const control = element("select", { name, "aria-label": feature.name }, ...options);
  control.addEventListener("change", () => onValue(values[Number(control.value)]));
  const show = (value) => (control.value = String(values.findIndex((known) => Object.is(known, value))));
  return { control, show };
}

function otherText({ categories }) {
  let text = OTHER;
  while (categories.includes(text)) text += "?";
  return text;
}

function makeAxes(features, numbers, axes, onAxes) {
  const selects = ["axis-x", "axis-y"].map(byId);
  selects.forEach((select, side) => {
    select.replaceChildren(
      ...numbers.map((index) => element("option", { value: String(index) }, features[index].name)),
    );
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
