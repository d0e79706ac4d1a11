// What programs import from "parity-reader"; index.d.mts says what each takes and gives.

export { MISSING_CATEGORY, MISSING_TIMESTAMP, cellReader, isMissingCell, kindProblem, valueReader } from "./cells.mjs";
export { columns, isClassifier, isText, rowFeatures } from "./contract.mjs";
export { addedColumns } from "./contract_check.mjs";
export { ConformanceError, DigestError, FormatError, InputError, ParityError, printable } from "./errors.mjs";
export { NO_FINITE_OUTPUT, firstNonFiniteRow } from "./output_validation.mjs";
export { openPackage } from "./package.mjs";
export { Predictor, openPredictor } from "./predictor.mjs";
export { replayPackage } from "./replay.mjs";
export { rowsInputs } from "./rows.mjs";
export { openSession } from "./session.mjs";
export { element, shown, sizeOf, typedArray } from "./tensors.mjs";
export { rowsOf } from "./test_vectors.mjs";
export { timestampText } from "./timestamp_cells.mjs";
export { outOfRange, trainingRange } from "./training_range.mjs";
