// The page's terms, each with its explanation: shown beside the word when it is pointed at, focused or tapped.

import { byId, element, placeBelow } from "./dom.mjs";

const TERMS = {
  package:
    "A folder with the model as ONNX, a contract that says what goes in and comes out, test vectors, and a manifest with the sha256 of each file.",
  "package id":
    "The sha256 of the manifest. It names every byte of the package: two packages with one id are the same.",
  "test vectors":
    "Inputs that were recorded at the export, with the outputs expected for them. Replaying them shows that this browser computes what was exported.",
  tolerance: "How far a value may be from the expected one. The package says so for each output.",
  "largest difference": "The largest absolute difference between a computed value and the expected one.",
  "certified graph": "A second graph of the package, which computes how far rounding can move its own outputs.",
  certified:
    "Rounding cannot change this label: every compliant runtime gives the same one. It does not say that the label is right.",
  "uncertified band": "The points so near to the boundary that rounding could change their label.",
  "error bound":
    "How far rounding can move the value of any compliant runtime from the exact one, in the unit of the value.",
  "decision boundary": "Where the predicted label changes.",
  "training range":
    "From the least to the largest value in the training data. Outside of it, the model predicts for values that it never saw.",
  probability: "The model's own probability of the label. The evaluation of the model says how well it is calibrated.",
  "label probability":
    "The model's own probability of each label, each for itself. A row has the labels whose probability reaches their threshold.",
  "cross-hair": "The point that is predicted. Click the picture, or use the fields and sliders, to move it.",
  slice: "The picture shows two features; the others stay at the values in their fields.",
};

/** A word of `TERMS`, or a text in its place, that explains itself. */
export function term(name, text = name) {
  const made = element("span", { class: "term", tabindex: "0", "aria-describedby": "explanation" }, text);
  made.dataset.term = name;
  return made;
}

/** Explains every term on the page, also those that come later. */
export function explainTerms() {
  const explanation = byId("explanation");
  let word = null;
  const show = ({ target }) => {
    word = target.closest?.(".term") ?? null;
    explanation.hidden = !word;
    if (!word) return;
    explanation.textContent = TERMS[word.dataset.term];
    placeBelow(explanation, word.getBoundingClientRect());
  };
  const hide = () => show({ target: document });
  // What has the focus may have been scrolled to by it.
  const follow = () => (word && word === document.activeElement ? show({ target: word }) : hide());
  for (const name of ["pointerover", "focusin", "click"]) document.addEventListener(name, show);
  for (const name of ["scroll", "resize"]) addEventListener(name, follow, { capture: true, passive: true });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
}
