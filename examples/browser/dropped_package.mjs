// A package that a person drops on the page or chooses: files of this machine, which stay on it.

import { byId } from "./dom.mjs";
import { InputError, openPackage } from "./reader.mjs";

const MANIFEST = "manifest.json";
const MOST_FILES = 10_000; // a package has some dozen

/** Calls `onFiles(promise)` of a Map from paths to files, for each folder that is dropped on the page or chosen. */
export function listenForFolders(onFiles) {
  const inside = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (isOver) => document.body.classList.toggle("dropping", isOver);
  document.addEventListener("dragover", (event) => {
    if (!inside(event)) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => relatedTarget || mark(false));
  document.addEventListener("drop", (event) => {
    if (!inside(event)) return;
    event.preventDefault();
    mark(false);
    onFiles(droppedFiles(event.dataTransfer));
  });
  byId("choose").addEventListener("change", ({ target }) => {
    const files = [...target.files].map((file) => [file.webkitRelativePath || file.name, file]);
    target.value = ""; // the same folder may be chosen again
    if (files.length > 0) onFiles(Promise.resolve(new Map(files)));
  });
}

/** Opens the package among files by their paths: the folder whose manifest lies nearest to the top. */
export function openFiles(files, { sha256 }) {
  const depth = (path) => path.split("/").length;
  const manifests = [...files.keys()].filter((path) => path.split("/").at(-1) === MANIFEST);
  const [manifest] = manifests.sort((one, other) => depth(one) - depth(other));
  if (!manifest)
    throw new InputError(`that is not a package: it has no ${MANIFEST}; choose the folder that parity export wrote`);
  const folder = manifest.slice(0, -MANIFEST.length);
  const read = async (name, limit) => {
    const file = files.get(folder + name);
    if (!file) throw new Error("no such file");
    return new Uint8Array(await file.slice(0, limit + 1).arrayBuffer());
  };
  return openPackage({ where: folder.replace(/\/$/, "") || "the dropped files", sha256, read });
}

async function droppedFiles({ items, files }) {
  // Entries must be taken before anything is awaited: the browser empties the list then.
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return new Map([...files].map((file) => [file.name, file]));
  const found = new Map();
  for (const entry of entries) await collect(entry, found);
  return found;
}

async function collect(entry, found) {
  if (found.size >= MOST_FILES)
    throw new InputError(`that holds more than ${MOST_FILES} files; drop the folder of one package`);
  if (entry.isFile) {
    found.set(entry.fullPath.replace(/^\//, ""), await new Promise((resolve, reject) => entry.file(resolve, reject)));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // It gives a hundred entries at most, and none once it is at the end.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await collect(one, found);
  }
}
