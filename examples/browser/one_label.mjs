// One label of a multilabel model, drawn as a binary model: class 0 is a row without the label, class 1 a row with it.

import { classColor, plainColor } from "./palette.mjs";
import { isClassifier } from "./reader.mjs";

/** What a row without any label has. */
export const NO_LABEL = "no label";

export const isMultilabel = ({ task }) => task === "multilabel";

/** Whether the model gives the probability of each class, of one class of several or of each label for itself. */
export const hasProbabilities = (contract) => isClassifier(contract) || isMultilabel(contract);

/** The predictions of the label at a place of `classes`, as of a binary model. */
export function labelPredictions({ labels, probabilities, logits }, { classes }, label) {
  const ofLabel = (all) => all.filter((_, at) => at % classes.length === label);
  const both = Array.from(ofLabel(probabilities)).flatMap((probability) => [1 - probability, probability]);
  return { labels: ofLabel(labels), probabilities: both, logits: ofLabel(logits) };
}

/** The colours of rows without the label, 0, and with it, 1. */
export const labelColor = (label) => (index) => (index ? classColor(label) : plainColor);
