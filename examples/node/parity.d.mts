// The types of parity.mjs, kept by hand.

import type { Cell, Contract, Deviation, Label, Tensors } from "parity-reader";

export type { Cell, Contract, Deviation, DType, Feature, Label, Tensor, Tensors, TensorSpec } from "parity-reader";
export { ConformanceError, DigestError, FormatError, InputError, ParityError } from "parity-reader";

/**
 * A cell of a row: a number; of text a string, a whole number or a boolean; of dates a `Date` or text; of truth values a
 * boolean, 0 or 1, or text. Null is missing, as NaN and the contract's words for it are.
 */
export type RowCell = Cell | Date | null;
/** Rows of cells in the order of parity-reader's `rowFeatures`, or columns by feature name, a cell for each row. */
export type Rows = ArrayLike<RowCell>[] | Record<string, ArrayLike<RowCell>>;

export interface Verification {
  packageId: string;
  /** How many files were checked. */
  files: number;
  passed: boolean;
  deviations: Deviation[];
}

export class Predictor {
  private constructor();
  /** sha256 of the package's manifest: it names every byte of the package. */
  readonly packageId: string;
  readonly contract: Contract;
  /** The labels by index; empty unless a classifier. */
  readonly classes: Label[];
  /** Whether it runs the certified graph. */
  readonly hasErrorBounds: boolean;
  /**
   * A classifier's classes, or an InputError where the probabilities of a row are not finite; a regression's values, of
   * several targets an array for each row.
   */
  predict(rows: Rows): Promise<Label[] | Float32Array | Float32Array[]>;
  predictProba(rows: Rows): Promise<Float32Array[]>;
  /** Whether each row's label is certified: no compliant backend gives another. Needs `{certified: true}`. */
  certified(rows: Rows): Promise<boolean[]>;
  /**
   * How far any compliant evaluation can be from the exact logits or values, in their own unit, an array for each row;
   * infinite where nothing is certified. Needs `{certified: true}`.
   */
  errorBound(rows: Rows): Promise<Float32Array[]>;
  /** Which cells lie outside the range of the training data, an array for each row. */
  outOfRange(rows: Rows): boolean[][];
  /** Timestamps are BigInt, seconds since 1970, UTC; a missing one is `-(2n ** 63n)`, a missing text empty. */
  run(inputs: Record<string, { dims: readonly number[]; data: ArrayLike<Cell> }>): Promise<Tensors>;
}

/** Opens a package folder; `digest` is the package id that is expected. */
export function loadPackage(folder: string, options?: { digest?: string; certified?: boolean }): Promise<Predictor>;
/** Checks every file of a package folder and replays its test vectors here, through each of its graphs. */
export function verify(folder: string, options?: { digest?: string }): Promise<Verification>;
