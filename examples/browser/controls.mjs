// The form beside the plane: a control for each feature, and which two numbers the plane shows.

import { OTHER, cellText } from "./cell_text.mjs";
import { byId, element, short } from "./dom.mjs";
import { choicesOf } from "./pictures.mjs";
import { MISSING_CATEGORY, MISSING_TIMESTAMP, cellReader, isText } from "./reader.mjs";
import { outOfRangeAt } from "./training_range.mjs";

const STEPS = 1000; // of a slider at least: its numbers are round, its ends are exact
const DIGITS = 12; // of a number that was rounded: 0.1 for 0.1000000000000001

/**
 * Makes the controls; calls `onPoint(index, value)`, `onNone(reason)` while what stands in one is no value, `onLeave()`
 * when it is left, `onAxes(axes)`, and `onTarget(index)`. Returns how to show a point.
 */
export function makeControls(
  contract,
  { features, numbers },
  axes,
  { signal, onPoint, onNone, onLeave, onAxes, onTarget },
) {
  const controls = features.map((feature, index) => {
    const onValue = (value) => onPoint(index, value);
    return controlOf(contract, feature, { name: `feature-${index}`, onValue, onNone, onLeave });
  });
  byId("point").replaceChildren(
    ...controls.map(({ control, slider }, index) => {
      const label = element("label", {}, element("span", {}, labelOf(features[index])), control);
      return element("div", { class: "field" }, label, ...(slider ? [slider] : []));
    }),
  );
  byId("point").addEventListener("submit", (event) => event.preventDefault(), { signal });
  makeAxes(features, numbers, axes, { signal, onAxes });
  makeTargets(choicesOf(contract, axes), { signal, onTarget });
  byId("target-kind").textContent = contract.task === "regression" ? "Value" : "Label";
  byId("axes").hidden = byId("axis-x").parentElement.hidden && byId("target").parentElement.hidden;
  return (point, shown) => {
    const outside = outOfRangeAt(features, point);
    controls.forEach(({ control, show }, index) => {
      control.classList.toggle("fixed", !shown.includes(index));
      control.classList.toggle("out-of-range", outside.includes(index));
      show(point[index]);
    });
  };
}

const labelOf = ({ name, kind }) => (kind === "datetime" ? `${name}, UTC` : name);

function controlOf(contract, feature, options) {
  if (feature.kind === "numeric") return numberInput(feature, options);
  if (feature.kind === "datetime") return dateInput(contract, feature, options);
  return choice(feature, options);
}

function numberInput(feature, { name, onValue, onNone, onLeave }) {
  const { name: label } = feature;
  const control = inputOf("number", label, { name, step: "any" }, onLeave);
  control.addEventListener("input", () => {
    const value = Math.fround(control.valueAsNumber);
    control.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value)) onValue(value);
    else onNone(Number.isNaN(value) ? `Enter a number for ${label}` : `${label} is larger than float32 holds`);
  });
  const slider = sliderOf(feature, onValue);
  const show = (value) => {
    unlessUsed(control, short(value));
    if (slider) unlessUsed(slider, String(value));
  };
  return { control, slider, show };
}

// Over what training saw; where the contract does not know that, over what is painted.
function sliderOf({ name, range, low, high }, onValue) {
  const [min, max] = range ?? [low, high];
  if (!(max > min)) return undefined;
  const step = 10 ** Math.floor(Math.log10((max - min) / STEPS));
  const attributes = {
    type: "range",
    min: String(min),
    max: String(max),
    step: "any",
    "aria-label": `${name}, slider`,
  };
  const slider = element("input", attributes);
  slider.addEventListener("input", () => {
    const value = slider.valueAsNumber;
    const end = [min, max].find((one) => Math.abs(value - one) < (max - min) / STEPS);
    onValue(Math.fround(end ?? Number((Math.round(value / step) * step).toPrecision(DIGITS))));
  });
  return slider;
}

function unlessUsed(control, value) {
  if (control !== document.activeElement) control.value = value;
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
  const show = (value) =>
    unlessUsed(control, value === MISSING_TIMESTAMP ? "" : cellText(feature, value).replace(/Z$/, ""));
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
  const show = (value) => unlessUsed(control, String(values.findIndex((known) => Object.is(known, value))));
  return { control, show };
}

function otherText({ categories }) {
  let text = OTHER;
  while (categories.includes(text)) text += "?";
  return text;
}

function makeAxes(features, numbers, axes, { signal, onAxes }) {
  const selects = ["axis-x", "axis-y"].map(byId);
  selects.forEach((select, side) => {
    select.parentElement.hidden = numbers.length <= axes.length;
    select.replaceChildren(
      ...numbers.map((index) => element("option", { value: String(index) }, features[index].name)),
    );
    select.value = String(axes[side]);
    const turn = () => {
      const chosen = selects.map(({ value }) => Number(value));
      if (chosen[0] === chosen[1]) selects[1 - side].value = String(axes[side]); // the two change places
      axes = selects.map(({ value }) => Number(value));
      onAxes(axes);
    };
    select.addEventListener("change", turn, { signal });
  });
}

function makeTargets(targets, { signal, onTarget }) {
  const select = byId("target");
  select.parentElement.hidden = targets.length < 2;
  select.replaceChildren(...targets.map((name, index) => element("option", { value: String(index) }, name)));
  select.addEventListener("change", () => onTarget(Number(select.value)), { signal });
}
