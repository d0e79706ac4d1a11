// A package folder: its manifest, and files whose bytes were checked against it.

import { readContract } from "./contract.mjs";
import { DigestError, FormatError, InputError, firstLine } from "./errors.mjs";
import { isObject, parseObject } from "./json.mjs";
import { WEIGHTS, readTensors } from "./weights.mjs";

const MANIFEST = "manifest.json";
const LARGEST_MANIFEST = 2 ** 24; // some dozen files, and hundreds of tensors in weights.bin
const LARGEST_JSON = 64 * 2 ** 20;

/**
 * Opens a package. `source` is how to reach it, so that Node and a browser share every check:
 * `where` names the folder in messages, `read(name, limit)` resolves to a file's bytes (no more than it takes to
 * see that there are more than `limit`), `sha256(bytes)` returns hexadecimal.
 */
export async function openPackage(source, digest) {
  const { where } = source;
  const manifest = await source.read(MANIFEST, LARGEST_MANIFEST).catch((error) => {
    throw new InputError(`${where} is not a package: ${MANIFEST} cannot be read (${firstLine(error)}); check the path`);
  });
  if (manifest.length > LARGEST_MANIFEST)
    throw new FormatError(`${where}/${MANIFEST} is too large for a manifest; copy the package again`);
  const id = source.sha256(manifest);
  checkDigest(where, id, digest);
  const opened = new Package(source, id, ...parseManifest(manifest, `${where}/${MANIFEST}`));
  const contract = await opened.readJson("contract.json");
  return Object.assign(opened, { contractJson: contract, contract: readContract(contract, `${where}/contract.json`) });
}

class Package {
  #source;

  constructor(source, id, entries, tensors) {
    this.#source = source;
    this.where = source.where;
    this.id = id;
    this.entries = entries;
    this.tensors = tensors;
  }

  /** A file's bytes, checked against the manifest: use these, never the file again. */
  async read(name) {
    const where = `${this.where}/${name}`;
    const entry = this.entries.get(name);
    if (!entry) throw new FormatError(`${this.where}/${MANIFEST} does not list ${name}; export the package again`);
    const bytes = await this.#source.read(name, entry.size).catch((error) => {
      throw new DigestError(`${where} cannot be read (${firstLine(error)}); copy the whole package again`);
    });
    if (bytes.length !== entry.size || this.#source.sha256(bytes) !== entry.sha256) {
      throw new DigestError(`${where} is not the file that was packaged (its sha256 differs); copy the package again`);
    }
    return bytes;
  }

  async readJson(name) {
    if (this.entries.get(name)?.size > LARGEST_JSON) {
      throw new FormatError(`${this.where}/${name} is too large; such a file has some megabytes at most`);
    }
    return parseObject(await this.read(name), `${this.where}/${name}`);
  }
}

function checkDigest(where, found, expected) {
  if (expected === undefined || expected === null) return;
  if (
    found !==
    String(expected)
      .trim()
      .toLowerCase()
      .replace(/^sha256:/, "")
  ) {
    throw new DigestError(`${where} is the package ${found}, not ${expected}; take the one that was meant`);
  }
}

function parseManifest(bytes, where) {
  const { files, tensors } = parseObject(bytes, where);
  if (!isObject(files)) throw new FormatError(`${where} has no object "files"; copy the package again`);
  const entries = new Map(
    Object.entries(files).map(([name, entry]) => [checkName(name, where), checkEntry(name, entry, where)]),
  );
  return [entries, readTensors(tensors, entries.get(WEIGHTS), where)];
}

function checkName(name, where) {
  const inside = name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!inside || name.includes("\\") || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    throw new FormatError(
      `${where} lists ${JSON.stringify(name)}, which is not a path inside the package; do not use this package`,
    );
  }
  return name;
}

function checkEntry(name, entry, where) {
  const { sha256, size } = isObject(entry) ? entry : {};
  const sane = typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256) && Number.isInteger(size) && size >= 0;
  if (!sane || size > 2 ** 53) {
    throw new FormatError(`${where}: ${name} is not written as {sha256, size}; copy the package again`);
  }
  return { sha256, size };
}
