// node answer.mjs RUNTIME MODEL ROWS COLUMNS OUT: answers float32 rows with a certified graph, in onnxruntime-node or -web.

import { readFile, writeFile } from "node:fs/promises";

const [runtime, model, rows, columns, out] = process.argv.slice(2);
const ort = runtime === "web" ? await import("onnxruntime-web/wasm") : (await import("onnxruntime-node")).default;
if (runtime === "web") ort.env.wasm.numThreads = 1;
const bytes = await readFile(rows);
const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const session = await ort.InferenceSession.create(new Uint8Array(await readFile(model)));
const answers = await session.run({ features: new ort.Tensor("float32", x, [x.length / columns, Number(columns)]) });
for (const name of ["logits", "error_bound"]) await writeFile(`${out}.${name}`, Buffer.from(answers[name].data.buffer));
await writeFile(`${out}.label`, Buffer.from(Uint8Array.from(answers.label.data, Number)));
await writeFile(`${out}.certified`, Buffer.from(Uint8Array.from(answers.certified.data)));
process.exit(0);
