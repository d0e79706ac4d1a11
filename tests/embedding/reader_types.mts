// What a program in TypeScript may write: the compiler holds index.d.mts to it. It is never run.

import * as ort from "onnxruntime-node";
import { InputError, openPackage, openPredictor, openSession, replayPackage } from "parity-reader";
import type { Label, Package, Predictor, Rows } from "parity-reader";

const source = { where: "xor", read: async () => new Uint8Array(1), sha256: () => "" };
const opened: Package = await openPackage(source);
const predictor: Predictor = await openPredictor(opened, ort, { intraOpNumThreads: 1 }, { certified: true });

const fixed: readonly (readonly number[])[] = [[1, 0]];
const column: Readonly<Record<string, readonly number[]>> = { x1: [1], x2: [0] };
const labels: Label[] | Float32Array | Float32Array[] = await predictor.predict(fixed);
const flat: Float32Array = await predictor.predictProba(Float32Array.of(1, 0));
const nested: Float32Array[] = await predictor.predictProba([[1, null, "red", true, 2n, new Date()]]);
const either: Rows | Float32Array = labels.length > 0 ? Float32Array.of(1, 0) : column;
const answers = [
  await predictor.predict(either),
  await predictor.predictProba(either),
  await predictor.errorBound(either),
  await predictor.certified(either),
  predictor.outOfRange(either),
];
await predictor.run({ input: { dims: [1, 2], data: [1n, 0n] } });
// @ts-expect-error: flat rows are float32
await predictor.predict(Float64Array.of(1, 0)).catch((error: unknown) => error instanceof InputError && error.exitCode);

const session = await openSession(opened, ort, {}, "certified");
const replay = await replayPackage(opened, ort);
await Promise.all([session.close(), replay.close(), predictor.close()]);
console.log(answers, flat, nested);
