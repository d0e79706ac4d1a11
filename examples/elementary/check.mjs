// node check.mjs [--stride 1024] [--web] [--json] [FUNCTION ...]
//
// Prints a line a function, and exits with 3 where a limit does not hold. --web takes onnxruntime-web's WebAssembly,
// which browsers run; --json prints the rows of the table of measured errors.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { check } from "./checker.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { stride: { type: "string", default: "1024" }, web: { type: "boolean" }, json: { type: "boolean" } },
});
const here = (name) => readFile(new URL(name, import.meta.url));
const limits = JSON.parse(await here("limits.json"));
const stride = Number(options.stride);
const names = positionals.length > 0 ? positionals : Object.keys(limits);
const unknown = names.find((name) => !(name in limits));
if (!Number.isInteger(stride) || stride < 1) refuse(`the stride is ${options.stride}; give a whole number from 1 on`);
if (unknown !== undefined) refuse(`no function ${unknown}; known are ${Object.keys(limits).join(", ")}`);

const ort = options.web ? await import("onnxruntime-web/wasm") : (await import("onnxruntime-node")).default;
if (options.web) ort.env.wasm.numThreads = 1;
const worst = await check(ort, new Uint8Array(await here("elementary.onnx")), limits, { stride, names });
for (const [name, found] of Object.entries(worst)) console.log(options.json ? row(name, found) : line(name, found));
process.exit(Object.values(worst).every(({ share }) => share <= 1) ? 0 : 3);

function line(name, { share, at, tested }) {
  const result = share <= 1 ? "holds" : "FAILS";
  return `${name.padEnd(12)}${String(tested).padStart(11)} values  ${result}  at most ${share.toFixed(3)} of the limit, at ${at}`;
}

function row(name, { beta }) {
  const backend = options.web ? `onnxruntime-web ${ort.env.versions.web}` : `onnxruntime-node ${ort.env.versions.node}`;
  return JSON.stringify({ function: name, cpu: process.arch, stride, alpha: limits[name].alpha, backend, beta });
}

function refuse(reason) {
  console.error(`check: ${reason}`);
  process.exit(2);
}
