// node elementary_page.mjs URL: prints what the page of elementary functions says in the end, and how many it checked.

import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  await page.goto(process.argv[2]);
  await page.waitForFunction(() => /hold|could/.test(document.querySelector("#state").textContent));
  console.log(await page.locator("#state").textContent());
  console.log(await page.locator("tbody tr").count());
} finally {
  await browser.close();
}
