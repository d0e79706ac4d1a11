// node cells_in_page.mjs URL PACKAGE < cells.json: the page's own modules read cells and run the model on them in a real
// Chromium. Takes {rows: {column: [cell, ...]}, bad: [[column, cell], ...]}, prints {value: [numbers], taken: [[column,
// cell], ...]}, of the bad cells those that were read all the same. It is copied beside the page's check.mjs, where playwright-core is found.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const { rows, bad } = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  console.log(JSON.stringify(await page.evaluate(predict, { folder, rows, bad })));
} finally {
  await browser.close();
}

// Runs in the page.
async function predict({ folder, rows, bad }) {
  const { fetchPackage } = await import("./fetch_package.mjs");
  const { loadLibraries } = await import("./libraries.mjs");
  const { cellReader, columns, openSession, typedArray } = await import("./reader.mjs");
  const libraries = await loadLibraries();
  const opened = await fetchPackage(folder, libraries);
  const { contract, run } = await openSession(opened, libraries.ort, libraries.options);
  const readers = Object.fromEntries(contract.features.map((feature) => [feature.name, cellReader(contract, feature)]));
  const inputs = {};
  for (const { name, dtype, shape } of contract.inputs) {
    const names = columns(contract)
      .filter(({ input }) => input === name)
      .map((feature) => feature.name);
    const count = rows[names[0]].length;
    const cells = Array.from({ length: count }, (_, row) => names.map((column) => readers[column](rows[column][row])));
    inputs[name] = { type: dtype, dims: [count, shape[1]], data: typedArray(dtype, cells.flat(), name) };
  }
  const isTaken = (found) => found !== undefined && Number.isFinite(Math.fround(Number(found)));
  const taken = bad.filter(([column, cell]) => isTaken(readers[column](cell)));
  return { value: [...(await run(inputs)).value.data], taken };
}
