// What outputs must be before a class is read out of them: a label of the contract, beside finite numbers.

import { isClassifier } from "./contract.mjs";
import { ConformanceError } from "./errors.mjs";

export const NO_FINITE_OUTPUT = "the model computes no finite output for these numbers";

// The output that holds indices, what one is called, and what the contract has of them.
const INDICES = {
  binary: ["label", "label", "classes"],
  multiclass: ["label", "label", "classes"],
  tagging: ["tags", "tag", "classes"],
  language_model: ["tokens", "token", "tokens"],
};

/** Refuses labels, tags and tokens that are no index into the contract's classes or vocabulary. */
export function checkLabels(contract, outputs) {
  if (!Object.hasOwn(INDICES, contract.task)) return;
  const [output, word, words] = INDICES[contract.task];
  if (outputs[output] === undefined) return;
  const logits = contract.outputs.find(({ name }) => name === "logits");
  const count = contract.task === "language_model" ? logits.shape.at(-1) : contract.classes.length;
  const strange = outputs[output].data.find((found) => found < 0 || found >= count);
  if (strange === undefined) return;
  throw new ConformanceError(
    `${contract.name} predicts the ${word} ${strange}, but its contract has ${count} ${words}, 0 to ${count - 1}: none of its predictions can be trusted; export the model again`,
  );
}

/** The first row whose probabilities or values are not finite, so that its class or value means nothing; -1 if none. */
export function firstNonFiniteRow(contract, outputs) {
  const { data, dims } = outputs[isClassifier(contract) ? "probabilities" : "value"];
  const at = data.findIndex((number) => !Number.isFinite(number));
  return at < 0 ? -1 : Math.floor(at / dims[1]);
}
