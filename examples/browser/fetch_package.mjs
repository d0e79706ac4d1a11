// A package read over HTTP.

import { InputError, openPackage } from "./reader.mjs";

/** Opens the package in the folder `relative`, a URL on the page's own server. */
export function fetchPackage(relative, { sha256 }) {
  const folder = folderUrl(relative);
  if (folder.origin !== new URL(document.baseURI).origin) {
    throw new InputError(
      `the package ${folder.href} is on another server; copy it beside this page, or drop its folder on it`,
    );
  }
  return openPackage({ where: relative.replace(/\/+$/, ""), sha256, read: (name) => fetchBytes(folder, name) });
}

/** Whether there is a package, whatever is in it. */
export async function isThere(relative) {
  const answer = await fetch(new URL("manifest.json", folderUrl(relative)), { method: "HEAD", redirect: "error" });
  return answer.ok;
}

function folderUrl(relative) {
  const path = `${relative.replace(/\/+$/, "")}/`;
  if (!URL.canParse(path, document.baseURI))
    throw new InputError(
      `?package=${relative} is not an address; name a folder relative to this page, such as packages/xor`,
    );
  return new URL(path, document.baseURI);
}

async function fetchBytes(folder, name) {
  const url = new URL(name.split("/").map(encodeURIComponent).join("/"), folder);
  const response = await fetch(url, { cache: "no-cache", redirect: "error" });
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
