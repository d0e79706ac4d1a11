// node parcels_in_page.mjs URL PACKAGE < rows.json: the page's own modules make the graph's inputs of a list of rows of
// typed cells and run both graphs on them in a real Chromium. Prints {inputs, default, certified}: tensors by name, flat;
// NaN is null, and a BigInt the text of its decimal. It is copied beside the page's check.mjs, where playwright-core is
// found.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const rows = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  console.log(await page.evaluate(predict, { folder, rows }));
} finally {
  await browser.close();
}

// Runs in the page.
async function predict({ folder, rows }) {
  const { fetchPackage } = await import("./fetch_package.mjs");
  const { loadLibraries } = await import("./libraries.mjs");
  const { columns, openSession, typedArray, valueReader } = await import("./reader.mjs");
  const libraries = await loadLibraries();
  const opened = await fetchPackage(folder, libraries);
  const features = columns(opened.contract).map((feature) => ({
    ...feature,
    read: valueReader(opened.contract, feature),
  }));
  const inputs = {};
  for (const { name, dtype, shape } of opened.contract.inputs) {
    const owned = features.filter(({ input }) => input === name);
    const cells = rows.flatMap((row) => owned.map((feature) => feature.read(row[feature.name])));
    inputs[name] = { type: dtype, dims: [rows.length, shape[1]], data: typedArray(dtype, cells, name) };
  }
  const flat = (tensors) => Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, [...data]]));
  const found = { inputs: flat(inputs) };
  for (const graph of ["default", "certified"]) {
    const { run } = await openSession(opened, libraries.ort, libraries.options, graph);
    found[graph] = flat(await run(inputs));
  }
  return JSON.stringify(found, (_, value) => (typeof value === "bigint" ? String(value) : value));
}
