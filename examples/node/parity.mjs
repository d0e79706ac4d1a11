// Predictions from a Parity package, in Node.

import { DigestError, openPackage, openPredictor, replayPackage } from "parity-reader";
import { folderSource, unlistedIn } from "./folder.mjs";

// onnxruntime 1.29 and later start a thread and write below HOME when they are loaded, unless this is set before.
process.env.ORT_DISABLE_TELEMETRY ??= "1";
const { default: ort } = await import("onnxruntime-node");

// The options of Parity's own Python runtime, so that the outputs have the same bits.
const OPTIONS = {
  executionProviders: ["cpu"],
  graphOptimizationLevel: "all",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4, // what goes wrong is thrown; onnxruntime would print it as well
};

export { ConformanceError, DigestError, FormatError, InputError, ParityError, Predictor } from "parity-reader";

/**
 * Opens a package folder, its files checked against its manifest.
 * @param {string} folder
 * @param {{digest?: string, certified?: boolean}} [options] the package id that is expected; the certified graph
 * @returns {Promise<import("parity-reader").Predictor>}
 */
export async function loadPackage(folder, { digest, certified = false } = {}) {
  const opened = await openPackage(folderSource(folder), digest);
  return openPredictor(opened, ort, OPTIONS, { certified });
}

/**
 * Checks every file of a package and replays its test vectors here, through each of its graphs.
 * @param {string} folder
 * @param {{digest?: string}} [options]
 */
export async function verify(folder, { digest } = {}) {
  const opened = await openPackage(folderSource(folder), digest);
  for (const name of opened.entries.keys()) await opened.read(name);
  const unlisted = (await unlistedIn(folder, [...opened.entries.keys(), "manifest.json"]))[0];
  if (unlisted) throw new DigestError(`${folder} holds ${unlisted}, which its manifest does not list; remove it`);
  const { passed, deviations, close } = await replayPackage(opened, ort, OPTIONS);
  await close();
  return { packageId: opened.id, files: opened.entries.size, passed, deviations };
}
