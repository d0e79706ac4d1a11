// A package read over HTTP.

import { InputError, openPackage } from "./reader.mjs";

/** Opens the package in the folder `relative`, a URL on the page's own server. */
export function fetchPackage(relative, { sha256 }) {
  const folder = new URL(`${relative.replace(/\/+$/, "")}/`, document.baseURI);
  if (folder.origin !== new URL(document.baseURI).origin) {
    throw new InputError(`the package ${folder.href} is on another server; copy it beside this page`);
  }
  return openPackage({ where: relative.replace(/\/+$/, ""), sha256, read: (name) => fetchBytes(folder, name) });
}

async function fetchBytes(folder, name) {
  const url = new URL(name.split("/").map(encodeURIComponent).join("/"), folder);
  const response = await fetch(url, { cache: "no-cache", redirect: "error" });
  if (!response.ok) throw new Error(`the server says ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
