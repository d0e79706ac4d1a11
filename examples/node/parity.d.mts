// The types of parity.mjs, kept by hand.

import type { Deviation, Predictor } from "parity-reader";

export type {
  Cell,
  Contract,
  Deviation,
  DType,
  Feature,
  Label,
  RowCell,
  Rows,
  Tensor,
  Tensors,
  TensorSpec,
} from "parity-reader";
export { ConformanceError, DigestError, FormatError, InputError, ParityError, Predictor } from "parity-reader";

export interface Verification {
  packageId: string;
  /** How many files were checked. */
  files: number;
  passed: boolean;
  deviations: Deviation[];
}

/** Opens a package folder; `digest` is the package id that is expected. */
export function loadPackage(folder: string, options?: { digest?: string; certified?: boolean }): Promise<Predictor>;
/** Checks every file of a package folder and replays its test vectors here, through each of its graphs. */
export function verify(folder: string, options?: { digest?: string }): Promise<Verification>;
