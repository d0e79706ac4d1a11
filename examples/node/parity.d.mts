// The types of parity.mjs, kept by hand.

export type Label = string | number;
export type Cell = number | boolean | bigint;
/** Rows in the features' order, or columns by feature name, a number for each row. */
export type Rows = ArrayLike<Cell>[] | Record<string, ArrayLike<Cell>>;
export type DType = "float32" | "float64" | "float16" | "int64" | "int32" | "int16" | "int8" | "uint8" | "bool";
export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

export interface TensorSpec {
  name: string;
  dtype: DType;
  /** A size, or the name of a dynamic dimension. */
  shape: (number | string)[];
}

export interface Feature {
  name: string;
  input: string;
  index: number;
  dtype: DType;
  missing: "impute" | "refuse";
  low?: number | null;
  high?: number | null;
}

/** contract.json, checked. */
export interface Contract {
  name: string;
  task: "binary" | "multiclass" | "regression" | "tensors";
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  features: Feature[];
  targets: string[];
  classes: Label[];
  positive: Label | null;
  threshold: number | null;
  logit_threshold: number | null;
  row_independent: boolean | null;
  graphs: { default: string; certified?: string };
  tolerance: Record<string, { rtol: number; atol: number; floor: number; source?: string }>;
  min_onnxruntime: string | null;
  provenance: Record<string, unknown>;
}

export interface Output {
  type: DType;
  dims: readonly number[];
  data: TypedArray;
}

/** One output of one batch of recorded vectors, compared. */
export interface Result {
  graph: "default" | "certified";
  vectors: "ordinary" | "hard";
  output: string;
  compared: number;
  /** How many lie outside their tolerance. */
  failed: number;
  /** How many lie within 1e-6 of the recorded value. */
  within: number;
  /** The largest absolute difference; of labels, how many differ. */
  largest: number;
  rows: { compared: number; failed: number; within: number; largest: number }[];
}

export interface Replay {
  packageId: string;
  files: number;
  passed: boolean;
  results: Result[];
}

export class Predictor {
  private constructor();
  /** sha256 of the package's manifest: it names every byte of the package. */
  readonly packageId: string;
  readonly contract: Contract;
  /** The labels by index; empty unless a classifier. */
  readonly classes: Label[];
  /**
   * A classifier's classes, or an InputError where the probabilities of a row are not finite; a regression's values, of
   * several targets an array for each row.
   */
  predict(rows: Rows): Promise<Label[] | Float32Array | Float32Array[]>;
  predictProba(rows: Rows): Promise<Float32Array[]>;
  /** Whether each row's label is proven; needs `{certified: true}`. */
  certified(rows: Rows): Promise<boolean[]>;
  run(inputs: Record<string, { dims: readonly number[]; data: ArrayLike<Cell> }>): Promise<Record<string, Output>>;
}

export function loadPackage(folder: string, options?: { digest?: string; certified?: boolean }): Promise<Predictor>;
export function replay(folder: string, options?: { digest?: string }): Promise<Replay>;

export class ParityError extends Error {
  exitCode: number;
}
export class InputError extends ParityError {}
export class FormatError extends ParityError {}
export class DigestError extends ParityError {}
/** A package does not answer here as its recorded vectors or its contract say. */
export class ConformanceError extends ParityError {}
