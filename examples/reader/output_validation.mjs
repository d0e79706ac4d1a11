// What outputs must be before a class is read out of them: a label of the contract, beside finite numbers.

import { isClassifier } from "./contract.mjs";
import { ConformanceError } from "./errors.mjs";

export const NO_FINITE_OUTPUT = "the model computes no finite output for these numbers";

/** Refuses labels that are no index into the contract's classes. */
export function checkLabels(contract, { label }) {
  if (!isClassifier(contract) || label === undefined) return;
  const count = contract.classes.length;
  const strange = label.data.find((found) => found < 0 || found >= count);
  if (strange === undefined) return;
  throw new ConformanceError(
    `${contract.name} predicts the label ${strange}, but its contract has ${count} classes, 0 to ${count - 1}: none of its predictions can be trusted; export the model again`,
  );
}

/** The first row whose probabilities or values are not finite, so that its class or value means nothing; -1 if none. */
export function firstNonFiniteRow(contract, outputs) {
  const { data, dims } = outputs[isClassifier(contract) ? "probabilities" : "value"];
  const at = data.findIndex((number) => !Number.isFinite(number));
  return at < 0 ? -1 : Math.floor(at / dims[1]);
}
