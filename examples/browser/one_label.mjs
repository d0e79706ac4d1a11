// One label of a multilabel model, drawn as a binary model: class 0 is a row without the label, class 1 a row with it.

import { classColor, plainColor } from "./palette.mjs";
import { isClassifier } from "./reader.mjs";

const FEW = 3; // names of labels; more of them would fill the page

export const isMultilabel = ({ task }) => task === "multilabel";

/** Whether the model gives the probability of each class, of one class of several or of each label for itself. */
export const hasProbabilities = (contract) => isClassifier(contract) || isMultilabel(contract);

/** The names of the labels that a row has, of which `labels` holds a number for each: 0 where it has not. */
export function labelNames({ classes }, labels) {
  const names = classes.filter((_, index) => labels[index]);
  if (names.length > FEW) return `${names.slice(0, FEW).join(", ")} and ${names.length - FEW} more`;
  return names.join(", ") || "no label";
}

/** The predictions of the label at a place of `classes`, as of a binary model. */
export function labelPredictions({ labels, probabilities, logits }, { classes }, label) {
  const ofLabel = (all) => all.filter((_, at) => at % classes.length === label);
  const both = Array.from(ofLabel(probabilities)).flatMap((probability) => [1 - probability, probability]);
  return { labels: ofLabel(labels), probabilities: both, logits: ofLabel(logits) };
}

/** The colours of rows without the label, 0, and with it, 1. */
export const labelColor = (label) => (index) => (index ? classColor(label) : plainColor);
