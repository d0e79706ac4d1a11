// node predict_in_page.mjs URL PACKAGE < rows.json: the page's own modules predict rows in a real Chromium.
// Prints {graph: {output: [numbers]}}. It is copied beside the page's check.mjs, where playwright-core is found.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const rows = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  console.log(JSON.stringify(await page.evaluate(predict, { folder, rows })));
} finally {
  await browser.close();
}

// Runs in the page.
async function predict({ folder, rows }) {
  const { fetchPackage } = await import("./fetch_package.mjs");
  const { loadLibraries } = await import("./libraries.mjs");
  const { openSession } = await import("./reader.mjs");
  const libraries = await loadLibraries();
  const opened = await fetchPackage(folder, libraries);
  const found = {};
  for (const graph of ["default", "certified"]) {
    const { run } = await openSession(opened, libraries.ort, libraries.options, graph);
    const outputs = await run({ z: { type: "float32", dims: [rows.length, 1], data: Float32Array.from(rows) } });
    found[graph] = { logits: [...outputs.logits.data], probabilities: [...outputs.probabilities.data] };
  }
  return found;
}
