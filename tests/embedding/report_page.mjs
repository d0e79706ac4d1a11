// node report_page.mjs FILE_URL
//
// Opens a page of `parity report` in a real Chromium, light and dark, wide and as on a phone, with every <details> open, and
// prints what was found there as JSON.

import { chromium } from "playwright-core";

const [url] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const found = [];
try {
  for (const [width, colorScheme] of [[1100, "light"], [1100, "dark"], [360, "light"], [360, "dark"]])
    found.push(await look(width, colorScheme));
} finally {
  await browser.close();
}
console.log(JSON.stringify(found));

async function look(width, colorScheme) {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  const problems = [];
  page.on("console", (message) => problems.push(`the console says: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`an error is not caught: ${error.message}`));
  page.on("request", (request) => request.url() !== url && problems.push(`the page requests ${request.url()}`));
  await page.goto(url);
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  const seen = await page.evaluate(measure);
  await page.emulateMedia({ media: "print", colorScheme });
  const printed = getBackground(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  await page.close();
  return { width, colorScheme, problems, printed, ...seen };
}

function getBackground(color) {
  return color.match(/\d+/g).map(Number);
}

function measure() {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const style = (element) => getComputedStyle(element);
  const { scrollWidth, clientWidth } = document.documentElement;
  return {
    overflow: scrollWidth - clientWidth,
    cut: [...document.querySelectorAll("[aria-label=Metrics]")].some((box) => box.scrollWidth > box.clientWidth),
    background: numbers(style(document.body).backgroundColor),
    ink: numbers(style(document.body).color),
    chartInk: numbers(style(document.querySelector("figure svg text")).fill),
    charts: document.querySelectorAll("figure svg[role=img][aria-label]").length,
    tallest: Math.max(...[...document.querySelectorAll("tr")].map((row) => row.getBoundingClientRect().height)),
    doubled: [...document.querySelectorAll("[id]")].length - new Set([...document.querySelectorAll("[id]")].map(({ id }) => id)).size,
    broken: [...document.querySelectorAll("nav a")].filter((a) => !document.querySelector(a.getAttribute("href"))).length,
    smallest: Math.min(
      ...[...document.querySelectorAll("figure svg text")].map((text) => text.getBoundingClientRect().height || Infinity),
    ),
  };
}
