// The types of parity-reader, kept by hand.

export type Label = string | number;
export type Cell = number | boolean | bigint | string;
export type DType =
  "float32" | "float64" | "float16" | "int64" | "int32" | "int16" | "int8" | "uint8" | "bool" | "string";
export type Kind = "numeric" | "boolean" | "categorical" | "code" | "datetime";
export type TypedArray = Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;
export type GraphName = "default" | "certified";

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
  kind: Kind;
  /** Its input's. */
  dtype: DType;
  missing: "impute" | "refuse";
  /** The extremes seen in training; of dates in seconds since 1970, UTC. */
  low?: number | null;
  high?: number | null;
  /** The texts that the graph has an index for; empty unless `categorical` or `code`. */
  categories: string[];
  /** Of dates in text, as for Python's strptime; null for ISO 8601. */
  format: string | null;
}

/** contract.json, checked. */
export interface Contract {
  name: string;
  task: "binary" | "multiclass" | "multilabel" | "tagging" | "embedding" | "language_model" | "regression" | "tensors";
  inputs: TensorSpec[];
  outputs: TensorSpec[];
  features: Feature[];
  targets: string[];
  classes: Label[];
  positive: Label | null;
  threshold: number | null;
  logit_threshold: number | null;
  /** multilabel: the probability of each class from which on a row has its label, and the same as logits. */
  thresholds: number[] | null;
  logit_thresholds: number[] | null;
  /** embedding: whether the vectors have the length 1. */
  unit_norm: boolean | null;
  row_independent: boolean | null;
  graphs: { default: string; certified?: string };
  tolerance: Record<string, { rtol: number; atol: number; floor: number; source?: string }>;
  min_onnxruntime: string | null;
  provenance: Record<string, unknown>;
  /** The words for a missing cell, where training was told of some. */
  missing_values: string[] | null;
}

/** A tensor as onnxruntime's JavaScript has it, its elements row-major: int64 as BigInt, texts in an array. */
export interface Tensor {
  type: DType;
  dims: readonly number[];
  data: TypedArray | string[];
}
export type Tensors = Record<string, Tensor>;

/** How `openPackage` reaches a package's files. */
export interface Source {
  /** The package's name in messages. */
  where: string;
  /** The bytes of a file of the package; of a file with more than `limit` bytes, any `limit + 1` or more of them. */
  read(name: string, limit: number): Promise<Uint8Array>;
  /** Hexadecimal, lower case. */
  sha256(bytes: Uint8Array): string;
}

export interface Package {
  where: string;
  /** sha256 of the package's manifest: it names every byte of the package. */
  id: string;
  entries: Map<string, { sha256: string; size: number }>;
  /** The tensors in weights.bin by name; empty where there is no such file. */
  tensors: Map<string, { offset: number; length: number; sha256: string }>;
  contract: Contract;
  /** A file's bytes, checked against the manifest: use these, never the file again. */
  read(name: string): Promise<Uint8Array>;
  readJson(name: string): Promise<Record<string, unknown>>;
}

/**
 * Opens a package: its manifest and its contract, checked.
 * @param digest the package id that is expected; undefined for any
 */
export function openPackage(source: Source, digest?: string): Promise<Package>;

/**
 * A cell of a row: a number; of text a string, a whole number or a boolean; of dates a `Date` or text; of truth values a
 * boolean, 0 or 1, or text. Null is missing, as NaN and the contract's words for it are.
 */
export type RowCell = Cell | Date | null;
/** Rows of cells in the order of `rowFeatures`, or columns by feature name, a cell for each row. */
export type Rows = readonly ArrayLike<RowCell>[] | Readonly<Record<string, ArrayLike<RowCell>>>;

/**
 * Predictions for rows: arrays of cells, columns by name, or flat, a Float32Array of rows x features of a model that takes
 * float32 numbers alone. A flat array is handed to onnxruntime as it is, and answers are flat as well.
 */
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
  predict(rows: Float32Array): Promise<Label[] | Float32Array>;
  predict(rows: Rows | Float32Array): Promise<Label[] | Float32Array | Float32Array[]>;
  /** The probability of each class, in the order of `classes`: an array for each row, of flat rows one array. */
  predictProba(rows: Rows): Promise<Float32Array[]>;
  predictProba(rows: Float32Array): Promise<Float32Array>;
  predictProba(rows: Rows | Float32Array): Promise<Float32Array | Float32Array[]>;
  /** Whether each row's label is certified: no compliant backend gives another. Needs `{certified: true}`. */
  certified(rows: Rows | Float32Array): Promise<boolean[]>;
  /**
   * How far any compliant evaluation can be from the exact logits or values, in their own unit, an array for each row;
   * infinite where nothing is certified. Needs `{certified: true}`.
   */
  errorBound(rows: Rows): Promise<Float32Array[]>;
  errorBound(rows: Float32Array): Promise<Float32Array>;
  errorBound(rows: Rows | Float32Array): Promise<Float32Array | Float32Array[]>;
  /** Which cells lie outside the range of the training data, an array for each row. */
  outOfRange(rows: Rows | Float32Array): boolean[][];
  /** Timestamps are BigInt, seconds since 1970, UTC; a missing one is `-(2n ** 63n)`, a missing text empty. */
  run(inputs: Record<string, { dims: readonly number[]; data: ArrayLike<Cell> }>): Promise<Tensors>;
  /** Frees the session's memory once the calls that were made have ended; what is called later is an InputError. */
  close(): Promise<void>;
}

/** Opens a graph of a package as a Predictor; `options` are onnxruntime's own. */
export function openPredictor(
  opened: Package,
  ort: OnnxRuntime,
  options?: object,
  graph?: { certified?: boolean },
): Promise<Predictor>;
/** Rows as the graph's inputs; the cells are checked for their kind, a flat array for its length. */
export function rowsInputs(contract: Contract, rows: Rows | Float32Array): Tensors;

export interface Session {
  /** Of the graph that was opened: the certified one has more outputs. */
  contract: Contract;
  /** Calls wait for one another. Without `names` every output is computed. */
  run(inputs: Tensors, names?: string[]): Promise<Tensors>;
  /** Throws an InputError once it was closed. */
  check(): void;
  /** Frees its memory once the calls that were made have ended; what is called later is an InputError. */
  close(): Promise<void>;
}

/** What the reader uses of onnxruntime-node or onnxruntime-web. */
export interface OnnxRuntime {
  InferenceSession: { create(model: Uint8Array, options?: object): Promise<unknown> };
  /** Its version: weights.bin is handed over from 1.22 on. */
  env?: { versions?: { common?: string } };
  Tensor: new (type: never, data: never, dims: readonly number[]) => unknown;
}

/** Opens a graph of a package, its model checked before onnxruntime sees it; `options` are onnxruntime's own. */
export function openSession(opened: Package, ort: OnnxRuntime, options?: object, graph?: GraphName): Promise<Session>;

/** What was compared. */
export interface Counts {
  compared: number;
  /** How many values lie outside their tolerance. */
  failed: number;
  /** How many values lie within 1e-6 of the expected one. */
  within: number;
  /** The largest absolute difference; of labels, how many differ. */
  largest: number;
}

/** One output of one set of test vectors, compared. */
export interface Deviation extends Counts {
  graph: GraphName;
  vectors: "ordinary" | "hard";
  output: string;
  rows: Counts[];
}

export interface Batch {
  inputs: Tensors;
  /** What is expected. */
  outputs: Tensors;
}
export interface TestVectors {
  ordinary: Batch & { rtol: number; atol: number };
  hard: (Batch & { kinds: string[]; tolerance: Tensors; checked: Tensor }) | null;
}
export interface Replay {
  passed: boolean;
  deviations: Deviation[];
  testVectors: TestVectors;
  sessions: { default: Session; certified?: Session };
  /** Closes the sessions. */
  close(): Promise<void>;
}

/** Replays a package's test vectors through each of its graphs. */
export function replayPackage(opened: Package, ort: OnnxRuntime, options?: object): Promise<Replay>;
/** How many rows a batch of test vectors has. */
export function rowsOf(batch: Batch): number;

export function isClassifier(contract: Contract): boolean;
/** Whether the graph takes a feature as text. */
export function isText(feature: Feature): boolean;
/** The features in the graph's order: input by input, and in each by their index. */
export function columns(contract: Contract): Feature[];
/** The features in the order of a row without names: the table's where there are several inputs. */
export function rowFeatures(contract: Contract): Feature[];
/** The columns that predictions add to a table. */
export function addedColumns(contract: Contract): string[];

/** A feature's range in training, rounded to float32 where its cells are; null where the contract knows none. */
export function trainingRange(feature: Feature): [low: number, high: number] | null;
/** Whether a cell lies outside such a range. A missing cell does not, nor does any where there is no range, as of text. */
export function outOfRange(range: [low: number, high: number] | null | undefined, cell: Cell): boolean;

/** A missing cell in an input of text. */
export const MISSING_CATEGORY: "";
/** A missing cell in an input of timestamps, -(2n ** 63n). */
export const MISSING_TIMESTAMP: bigint;
/**
 * Returns how a column's cells, as they stand in a table of text, become elements of the graph's input: numbers (NaN
 * where a cell is missing), texts (empty) or seconds since 1970, UTC (`MISSING_TIMESTAMP`); undefined where a cell is none
 * of the column's kind. Throws an InputError for a format of dates that it does not know.
 */
export function cellReader(
  contract: Contract,
  feature: Feature,
): (cell: string) => number | string | bigint | undefined;
/** The same for typed values: numbers, booleans, BigInts, `Date` objects, texts; null is missing. */
export function valueReader(
  contract: Contract,
  feature: Feature,
): (value: unknown) => number | string | bigint | undefined;
/** Whether an element of a column's input is a missing cell: NaN, an empty text or `MISSING_TIMESTAMP`. */
export function isMissingCell(feature: Feature, found: Cell): boolean;
/** Why a cell is none of its column's kind, and the way out. */
export function kindProblem(feature: Feature): string;
/** Seconds since 1970 as a person reads them: `2024-12-31T23:59:59Z`. */
export function timestampText(seconds: bigint | number): string;

/** Why a row of `firstNonFiniteRow` is no prediction. */
export const NO_FINITE_OUTPUT: string;
/** The first row whose probabilities or values are not finite, so that its class or value means nothing; -1 if none. */
export function firstNonFiniteRow(contract: Contract, outputs: Tensors): number;

export function sizeOf(dims: readonly number[]): number;
/** A value as an element of that type, itself or a BigInt; undefined where the type cannot hold it. */
export function element(dtype: DType, value: Cell): Cell | undefined;
/** Values as a typed array, texts as an array; `what` names them in messages. */
export function typedArray(dtype: DType, values: ArrayLike<Cell>, what: string): TypedArray | string[];
/** A value as a message shows it. */
export function shown(value: unknown): string;
/** Text in one line of a screen at most: what does not print (control, bidi, surrogate) is escaped. */
export function printable(text: string): string;

export class ParityError extends Error {
  /** What a command exits with. */
  exitCode: number;
}
/** Rows, columns or options that a caller handed in cannot be used. */
export class InputError extends ParityError {}
/** A file holds something that the package format does not allow. */
export class FormatError extends ParityError {}
/** A file is not the one that was packaged. */
export class DigestError extends ParityError {}
/** The package does not compute here what its test vectors expect, or what its contract says. */
export class ConformanceError extends ParityError {}
