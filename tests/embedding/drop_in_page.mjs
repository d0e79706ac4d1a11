// node drop_in_page.mjs URL FOLDER...: opens the page in a real Chromium, drops the folders on it one after the other, as a
// person does, then chooses the last one with the button, and prints after each what the page says, as a line of JSON. It is
// copied beside the page's check.mjs, where playwright-core is found.

import { chromium } from "playwright-core";

const [url, ...folders] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  const uncaught = [];
  page.on("pageerror", (error) => uncaught.push(error.message));
  await page.goto(url);
  await page.waitForSelector("#welcome:not([hidden]), #result:not([hidden])");
  const client = await page.context().newCDPSession(page);
  for (const folder of folders) {
    const at = { x: 200, y: 60, data: { items: [], files: [folder], dragOperationsMask: 1 } };
    for (const type of ["dragEnter", "dragOver", "drop"]) await client.send("Input.dispatchDragEvent", { type, ...at });
    console.log(JSON.stringify(await said(page)));
  }
  await page.locator("#choose").setInputFiles(folders.at(-1));
  console.log(JSON.stringify({ ...(await said(page)), uncaught }));
} finally {
  await browser.close();
}

async function said(page) {
  await page.waitForTimeout(100); // the page is emptied at once
  await page.waitForSelector("#prediction .label:visible, #no-plane:visible, #problem:visible");
  await page.waitForTimeout(300); // nothing of the package before may come back
  return page.evaluate(() => {
    const visible = (id) => document.getElementById(id).checkVisibility();
    const text = (id) => document.getElementById(id).textContent;
    return {
      title: text("title"),
      problem: text("problem"),
      plane: visible("plane") && text("plane-title"),
      fields: visible("plane") && document.querySelectorAll("#point .field").length,
      across: visible("axis-x") && document.getElementById("axis-x").selectedOptions[0].textContent,
      explained: visible("welcome"),
    };
  });
}
