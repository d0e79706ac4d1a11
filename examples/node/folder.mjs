// A package's folder on disk, as parity-reader reads it.

import { constants as buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";
import path from "node:path";

// Node's own texts repeat the path.
const REASONS = {
  ENOENT: "no such file",
  ENOTDIR: "no such folder",
  EISDIR: "it is a folder",
  EACCES: "not permitted",
};

const AT_ONCE = 2 ** 30; // bytes that Node hashes or reads in one call

/** The `source` of `openPackage`. */
export function folderSource(folder) {
  const sha256 = (bytes) => {
    const hash = createHash("sha256");
    for (let at = 0; at < bytes.length; at += AT_ONCE) hash.update(bytes.subarray(at, at + AT_ONCE));
    return hash.digest("hex");
  };
  const read = (name, limit) =>
    readRegular(path.join(folder, name), limit).catch((error) => {
      throw new Error(REASONS[error.code] ?? error.message);
    });
  return { where: folder, sha256, read };
}

/** The files and folders that are there but not listed, relative to the folder. */
export async function unlistedIn(folder, listed) {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const nameOf = (entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/");
  return found
    .map((entry) => [nameOf(entry), entry.isDirectory()])
    .filter(([name, isFolder]) => !listed.some((known) => (isFolder ? known.startsWith(`${name}/`) : known === name)))
    .map(([name]) => name);
}

// A regular file only: opening a pipe waits for a writer, and a device never ends.
async function readRegular(file, limit) {
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Error("it is not a regular file");
    const size = Math.min(status.size, limit) + 1;
    if (size > buffer.MAX_LENGTH)
      throw new Error(`it has ${status.size} bytes, and an array holds ${buffer.MAX_LENGTH}; use a newer Node.js`);
    const bytes = new Uint8Array(size);
    let length = 0;
    for (let more = 1; more > 0 && length < bytes.length; length += more) {
      more = (await handle.read(bytes, length, Math.min(bytes.length - length, AT_ONCE))).bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}
