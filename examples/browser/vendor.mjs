// npm run vendor: copies what the page loads out of node_modules, 14 of its 160 MB, so that the folder can be put on
// any static server without node_modules, which many servers and deployments leave out.

import { cp, mkdir, rm } from "node:fs/promises";

const FILES = {
  "onnxruntime-web": {
    "dist/ort.wasm.bundle.min.mjs": "onnxruntime/ort.mjs",
    "dist/ort-wasm-simd-threaded.wasm": "onnxruntime/ort-wasm-simd-threaded.wasm",
  },
  "@noble/hashes": {
    "sha2.js": "noble/sha2.js",
    "_md.js": "noble/_md.js",
    "_u64.js": "noble/_u64.js",
    "utils.js": "noble/utils.js",
    LICENSE: "noble/LICENSE",
  },
};

await rm(new URL("vendor/", import.meta.url), { recursive: true, force: true });
for (const [name, files] of Object.entries(FILES)) {
  for (const [from, to] of Object.entries(files)) {
    const target = new URL(`vendor/${to}`, import.meta.url);
    await mkdir(new URL(".", target), { recursive: true });
    await cp(new URL(`node_modules/${name}/${from}`, import.meta.url), target);
  }
}
console.log("vendor/ holds onnxruntime-web and @noble/hashes");
