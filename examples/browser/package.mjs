// A package read over HTTP, and the libraries that do it.

import { openPackage } from "./reader/package.mjs";
import { InputError } from "./reader/errors.mjs";

const OPTIONS = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };

/** Loads onnxruntime-web and SHA-256, which `npm run vendor` puts into vendor/. */
export async function loadLibraries() {
  try {
    const [ort, { sha256 }] = await Promise.all([
      import("./vendor/onnxruntime/ort.mjs"),
      import("./vendor/noble/sha2.js"),
    ]);
    ort.env.wasm.wasmPaths = {
      wasm: new URL("./vendor/onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url).href,
    };
    ort.env.wasm.numThreads = 1; // more need headers that not every static server sends
    ort.env.logLevel = "fatal"; // what goes wrong is thrown, and shown on the page
    return { ort, options: OPTIONS, sha256: (bytes) => hex(sha256(bytes)) };
  } catch {
    throw new InputError("vendor/ cannot be loaded; run npm ci --ignore-scripts && npm run vendor beside index.html");
  }
}

/** Opens the package in the folder `relative`, a URL on the page's own server. */
export function openFrom(relative, { sha256 }) {
  const folder = new URL(`${relative.replace(/\/+$/, "")}/`, document.baseURI);
  if (folder.origin !== new URL(document.baseURI).origin) {
    throw new InputError(`the package ${folder.href} is on another server; copy it beside this page`);
  }
  return openPackage({ where: relative.replace(/\/+$/, ""), sha256, read: (name) => fetchBytes(folder, name) });
}

// crypto.subtle would do, but browsers hide it from pages that come over plain http from another machine.
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

async function fetchBytes(folder, name) {
  const url = new URL(name.split("/").map(encodeURIComponent).join("/"), folder);
  const answer = await fetch(url, { cache: "no-cache", redirect: "error" });
  if (!answer.ok) throw new Error(`the server says ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
