// npm run vendor: copies what the page loads out of node_modules, 14 of its 160 MB, so that the folder can be put on
// any static server without node_modules, which many servers and deployments leave out.

import { existsSync } from "node:fs";
import { cp, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const VENDOR = fileURLToPath(new URL("vendor/", import.meta.url));
const FILES = JSON.parse(await readFile(new URL("vendor.json", import.meta.url), "utf8")); // parity view serves the same

// A workspace has its packages in the node_modules of a folder above.
function folderOf(name) {
  const folders = createRequire(import.meta.url).resolve.paths(name);
  const found = folders.map((folder) => path.join(folder, name)).find((folder) => existsSync(folder));
  if (found) return found;
  console.error(`vendor: ${name} is not installed; run npm ci --ignore-scripts`);
  process.exit(1);
}

async function copy(from, to) {
  await mkdir(path.dirname(to), { recursive: true });
  await cp(from, to);
}

const reader = folderOf("parity-reader");
const modules = (await readdir(reader)).filter((name) => name.endsWith(".mjs"));
await rm(VENDOR, { recursive: true, force: true });
for (const name of modules) await copy(path.join(reader, name), path.join(VENDOR, "parity-reader", name));
for (const [name, files] of Object.entries(FILES)) {
  const folder = folderOf(name);
  for (const [from, to] of Object.entries(files)) await copy(path.join(folder, from), path.join(VENDOR, to));
}
console.log("vendor/ holds onnxruntime-web, @noble/hashes and parity-reader");
