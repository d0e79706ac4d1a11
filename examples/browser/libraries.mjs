// onnxruntime-web and SHA-256, from vendor/.

const OPTIONS = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };

/** Returns onnxruntime, its session options, and `sha256(bytes)` in hexadecimal; fails where vendor/ is not complete. */
export async function loadLibraries() {
  const [ort, { sha256 }] = await Promise.all([
    import("./vendor/onnxruntime/ort.mjs"),
    import("./vendor/noble/sha2.js"),
    import("./reader.mjs"), // other modules import it; here to find out whether it is there
  ]);
  ort.env.wasm.wasmPaths = {
    wasm: new URL("./vendor/onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url).href,
  };
  ort.env.wasm.numThreads = 1; // more need headers that not every static server sends
  ort.env.logLevel = "fatal"; // what goes wrong is thrown, and shown on the page
  return { ort, options: OPTIONS, sha256: (bytes) => hex(sha256(bytes)) };
}

// crypto.subtle would do, but browsers hide it from pages that come over plain http from another machine.
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
