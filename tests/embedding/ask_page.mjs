// node ask_page.mjs URL PACKAGE < rows.json: the page's own reader and onnxruntime-web answer rows in a real Chromium.
// Prints {graph: {output: [numbers]}}. It is copied beside the page's playwright-core.

import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const rows = JSON.parse(await text(process.stdin));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(url);
  console.log(JSON.stringify(await page.evaluate(answer, { folder, rows })));
} finally {
  await browser.close();
}

// Runs in the page.
async function answer({ folder, rows }) {
  const { loadLibraries, openFrom } = await import("./package.mjs");
  const { openSession } = await import("./reader/session.mjs");
  const libraries = await loadLibraries();
  const opened = await openFrom(folder, libraries);
  const found = {};
  for (const graph of ["default", "certified"]) {
    const { run } = await openSession(opened, libraries.ort, libraries.options, graph);
    const answers = await run({ z: { type: "float32", dims: [rows.length, 1], data: Float32Array.from(rows) } });
    found[graph] = { logits: [...answers.logits.data], probabilities: [...answers.probabilities.data] };
  }
  return found;
}
