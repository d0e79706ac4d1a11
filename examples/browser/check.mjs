// node check.mjs URL [SCREENSHOT] [--expect plane|heat|curve|labels|table|results|red|alert|late|welcome] [--width 1100] [--dark]
//
// Opens the page in a real Chromium and exits with 1 and a line where it does not do what it should. `plane` (the
// default) expects green results, a painted plane, a prediction after a click, none beside an emptied field, a zoom to
// the uncertified band of a certified graph, a mark on a number far outside the range of the training data, and of text,
// truth values and dates a prediction for each choice, a missing one among them; `heat` and `curve` a regression's picture
// over two numbers or one, or a classifier's over one, and that the wheel, dragging, two fingers, a slider and explained
// words do what they should; `labels` of a multilabel model another picture for each label; `table` results without a picture; `results` no more than them; `red` results of
// which some are red; `alert` a message, and nothing else; `late` a plane, and a message after a number whose label is no
// class; `welcome` what to do, without a package.

import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const {
  values: options,
  positionals: [url, screenshot],
} = parseArgs({
  allowPositionals: true,
  options: {
    expect: { type: "string", default: "plane" },
    width: { type: "string", default: "1100" },
    dark: { type: "boolean" },
  },
});
const CHECKS = {
  plane: [results, plane, pointed, emptied, band, outOfRange, choices, dates],
  heat: [results, picture, pointed, clicked, gestures, slider, explained],
  curve: [results, picture, pointed, clicked, gestures, slider, explained],
  labels: [results, labels, pointed, clicked],
  results: [results],
  welcome: [welcome],
  late: [plane, late],
  table: [results, noPlane],
  red: [redResult],
  alert: [alerted],
};
const MESSAGES = ["alert", "late", "welcome"]; // that the page shows them is what is expected
const HEIGHT = 900;

if (!url || !CHECKS[options.expect]) stop("give a URL, and what to --expect", 2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
try {
  console.log(await check());
} catch (error) {
  process.exitCode = 1;
  console.error(`check: ${String(error.message).split("\n", 1)[0]}`);
} finally {
  await browser.close();
}

async function check() {
  const page = await browser.newPage({
    viewport: { width: Number(options.width), height: HEIGHT },
    colorScheme: options.dark ? "dark" : "light",
    hasTouch: true,
  });
  const problems = watch(page);
  await page.goto(url);
  await page.waitForFunction(
    () => document.querySelector("#result:not([hidden]), #problem:not(:empty), #welcome:not([hidden])"),
    null,
    {
      timeout: 60_000,
    },
  );
  const said = [];
  for (const expected of CHECKS[options.expect]) said.push(await expected(page));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) throw new Error(`the page is ${wide} pixels wider than its window`);
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  if (!MESSAGES.includes(options.expect)) await noProblem(page); // also after the page was laid out again
  // A browser logs every file that it was refused, which is what --expect alert provokes.
  if (problems.length > 0 && !MESSAGES.includes(options.expect)) throw new Error(problems[0]);
  return `${url}: ${said.join("; ")}`;
}

function watch(page) {
  const problems = [];
  const { origin } = new URL(url);
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && problems.push(`the console says: ${message.text()}`),
  );
  page.on("pageerror", (error) => problems.push(`an error is not caught: ${error.message}`));
  page.on(
    "request",
    (request) =>
      !request.url().startsWith(origin) &&
      !request.url().startsWith("data:") &&
      problems.push(`the page requests ${request.url()}`),
  );
  return problems;
}

async function results(page) {
  await noProblem(page);
  const marks = await page.locator(".mark").allTextContents();
  if (marks.length === 0) throw new Error("there are no results");
  if (!marks.every((text) => text === "agrees")) throw new Error("a result is red");
  return `${marks.length} results agree`;
}

async function redResult(page) {
  await noProblem(page);
  const red = await page.locator(".mark.bad").count();
  const overall = await page.locator("#result").textContent();
  if (red === 0 || !overall.includes("not")) throw new Error("no result is red");
  return `${red} results are red`;
}

async function plane(page) {
  await page.waitForSelector("#prediction .label, #no-plane:not([hidden])", { timeout: 30_000 });
  if (await page.locator("#no-plane").isVisible())
    throw new Error(`no plane is painted: ${await page.locator("#no-plane").textContent()}`);
  const { blue, orange } = await page.evaluate(countColors);
  if (blue < 1000 || orange < 1000)
    throw new Error(`the plane is not painted (${blue} blue pixels, ${orange} orange ones)`);
  const before = await page.locator("#point").evaluate((form) => [...form.elements].map(({ value }) => value).join());
  await page.locator("#canvas").click({ position: { x: 120, y: 90 } });
  await page.waitForFunction(
    (old) => [...document.querySelector("#point").elements].map(({ value }) => value).join() !== old,
    before,
    { timeout: 5000 },
  );
  await page.waitForFunction(() => /probability/.test(document.querySelector("#announcement").textContent), null, {
    timeout: 5000,
  });
  return `painted (${blue} blue pixels, ${orange} orange ones); a click predicts "${await page.locator("#announcement").textContent()}"`;
}

async function picture(page) {
  await page.waitForSelector("#prediction .label", { timeout: 30_000 });
  const colors = await page.evaluate(countHues);
  const least = options.expect === "heat" ? 12 : 1;
  if (colors < least) throw new Error(`the picture has ${colors} colours`);
  return `painted in ${colors} colours`;
}

// The prediction is shown beside the pointer, and put away when the pointer leaves the picture.
async function pointed(page) {
  const tip = page.locator("#tip");
  await page.locator("#canvas").hover({ position: { x: 140, y: 100 } });
  await tip.waitFor({ state: "visible", timeout: 5000 });
  const text = await tip.textContent();
  const { left, right } = await tip.evaluate((shown) => shown.getBoundingClientRect().toJSON());
  if (left < 0 || right > Number(options.width)) throw new Error(`"${text}" at the pointer reaches out of the window`);
  await page.mouse.move(0, 0);
  await tip.waitFor({ state: "hidden", timeout: 5000 });
  return `the pointer shows "${text}"`;
}

async function labels(page) {
  await page.waitForSelector("#prediction .label", { timeout: 30_000 });
  const names = await page.locator("#target option").allTextContents();
  const pictures = [];
  for (const name of names) {
    await page.locator("#target").selectOption({ label: name });
    await page.waitForFunction((text) => document.querySelector("#legend-classes").innerText.startsWith(text), name);
    pictures.push(await page.evaluate(pictureData));
  }
  if (names.length < 2 || new Set(pictures).size < names.length) throw new Error("two labels have the same picture");
  return `${names.join(", ")} have a picture each`;
}

async function clicked(page) {
  const before = await page.locator("#announcement").textContent();
  await page.locator("#canvas").click({ position: { x: 130, y: 90 } });
  await page.waitForFunction((old) => document.querySelector("#announcement").textContent !== old, before, {
    timeout: 5000,
  });
  return `a click predicts "${await page.locator("#announcement").textContent()}"`;
}

// Each of them paints another view; the button brings the first one back.
async function gestures(page) {
  await page.locator("#canvas").scrollIntoViewIfNeeded();
  const whole = await wholeView(page);
  const box = await page.locator("#canvas").boundingBox();
  const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
  const moves = {
    "the wheel": async () => {
      await page.mouse.move(...at(0.5, 0.5));
      await page.mouse.wheel(0, -300);
    },
    dragging: async () => {
      await page.mouse.move(...at(0.6, 0.4));
      await page.mouse.down();
      await page.mouse.move(...at(0.4, 0.5), { steps: 3 });
      await page.mouse.up();
    },
    "two fingers": () => pinch(page, at),
  };
  const widths = [];
  for (const [name, move] of Object.entries(moves)) {
    await move();
    const view = await viewOtherThan(page, whole, name);
    widths.push((view.x[1] - view.x[0]) / (JSON.parse(whole).x[1] - JSON.parse(whole).x[0]));
    if ((await wholeView(page)) !== whole) throw new Error(`after ${name} the whole range is not what it was`);
  }
  const [wheel, drag, fingers] = widths;
  if (!(wheel < 0.9 && Math.abs(drag - 1) < 1e-6 && fingers < 0.9))
    throw new Error(`the views are ${widths.join(", ")} times as wide as the whole range`);
  return "the wheel and two fingers zoom, dragging moves";
}

async function wholeView(page) {
  await page.mouse.move(0, 0);
  await page.locator("#whole").click();
  return settledView(page);
}

async function viewOtherThan(page, whole, name) {
  const isOther = (old) => document.querySelector("#canvas").dataset.view !== old;
  await page.waitForFunction(isOther, whole, { timeout: 5000 }).catch(() => {
    throw new Error(`${name} does not change the view`);
  });
  return JSON.parse(await settledView(page));
}

async function pinch(page, at) {
  const client = await page.context().newCDPSession(page);
  const touch = (type, ...places) =>
    client.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(([x, y], id) => ({ x, y, id })) });
  await touch("touchStart", at(0.45, 0.5));
  await touch("touchStart", at(0.45, 0.5), at(0.55, 0.45));
  await touch("touchMove", at(0.35, 0.55), at(0.65, 0.4));
  await touch("touchMove", at(0.3, 0.6), at(0.7, 0.35));
  await touch("touchEnd");
  await client.detach();
}

// The view that is painted, once it has stayed the same for a while.
async function settledView(page) {
  let last;
  for (let same = 0; same < 4;) {
    await page.waitForTimeout(100);
    const found = await page.locator("#canvas").getAttribute("data-view");
    same = found === last ? same + 1 : 0;
    last = found;
  }
  return last;
}

async function slider(page) {
  const range = page.locator("#point input[type=range]").first();
  const field = page.locator("#point input[type=number]").first();
  const before = await page.locator("#announcement").textContent();
  const { low, high } = await range.evaluate(({ min, max }) => ({ low: Number(min), high: Number(max) }));
  await range.focus();
  await page.mouse.move(0, 0); // the page may have scrolled the picture below the pointer
  await range.press("Home"); // where it stands already, beside a point that lies outside the range
  for (const [key, end] of [
    ["End", high],
    ["Home", low],
  ]) {
    await range.press(key);
    const reached = (wanted) => {
      const found = Number(document.querySelector("#point input[type=number]").value);
      return Math.abs(found - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted));
    };
    await page.waitForFunction(reached, end, { timeout: 5000 });
  }
  await page.waitForFunction((old) => document.querySelector("#announcement").textContent !== old, before, {
    timeout: 5000,
  });
  if (await field.evaluate((input) => input.classList.contains("out-of-range")))
    throw new Error("an end of the slider is marked as out of range");
  return `a slider reaches from ${low} to ${high}`;
}

// By pointer and by keyboard, within the window; Escape puts it away.
async function explained(page) {
  await page.mouse.move(0, 0);
  await settledView(page);
  const words = await page.locator(".term:visible").all();
  for (const word of words) {
    await word.focus();
    const { text, inside } = await page.locator("#explanation").evaluate((shown) => {
      const { left, right, top, bottom } = shown.getBoundingClientRect();
      const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
      return { text: shown.hidden ? "" : shown.textContent, inside };
    });
    const name = await word.textContent();
    if (text.length < 20 || !inside)
      throw new Error(`${name} is explained by "${text}", ${inside ? "" : "not "}in the window`);
  }
  await page.keyboard.press("Escape");
  if (await page.locator("#explanation").isVisible()) throw new Error("Escape leaves an explanation on the page");
  await words[0].scrollIntoViewIfNeeded();
  await page.waitForTimeout(200); // until the page has scrolled, which puts an explanation away
  await words[0].hover();
  if (!(await page.locator("#explanation").isVisible())) throw new Error("a word that is pointed at is not explained");
  await page.mouse.move(0, 0);
  return `${words.length} words are explained`;
}

async function welcome(page) {
  const text = await page.locator("#welcome").innerText();
  if (!/parity view/.test(text) || !/\?package=/.test(text)) throw new Error(`it does not say what to do: "${text}"`);
  return "it says what to do";
}

async function emptied(page) {
  const field = page.locator("#point input[type=number]").first();
  const before = await field.inputValue();
  await field.fill("");
  await page.waitForFunction(() => /^Enter a number/.test(document.querySelector("#announcement").textContent));
  for (const hover of [false, true]) {
    if (hover) await page.locator("#canvas").hover({ position: { x: 150, y: 120 } });
    await page.waitForTimeout(300); // for a prediction that must not come
    const shown = await page.locator("#prediction").innerText();
    if (!/^Enter a number for \S+$/.test(shown)) throw new Error(`beside an emptied field stands "${shown}"`);
  }
  await page.mouse.move(0, 0);
  await field.blur();
  await page.waitForSelector("#prediction .label");
  if ((await field.inputValue()) !== before) throw new Error("a field that was emptied and left is not what it was");
  return "an emptied field has no prediction";
}

async function band(page) {
  if (await page.locator("#zoom-to-band").isHidden()) return "no certified graph";
  await page.locator("#zoom-to-band").click();
  await page.waitForSelector("#band-note:not([hidden])");
  const note = await page.locator("#band-note").textContent();
  if (!/band reaches about \d/.test(note)) throw new Error(`the uncertified band is not found: "${note}"`);
  await page.locator("#whole").click();
  return "the uncertified band is found";
}

async function outOfRange(page) {
  const known = await page.locator("#no-range-note").isHidden();
  const field = page.locator("#point input[type=number]").first();
  await field.fill("1e30");
  await page.waitForFunction(() => /1e\+30.*probability/.test(document.querySelector("#announcement").textContent));
  const said = await page.locator("#announcement").textContent();
  const marked = [
    /Outside the range of the training data/.test(said),
    /Outside the range of the training data/.test(await page.locator("#prediction").innerText()),
    await field.evaluate((input) => input.classList.contains("out-of-range")),
    (await page.locator("#prediction .good").count()) === 0,
  ];
  if (known && marked.includes(false)) throw new Error(`1e30 is not marked as out of range: "${said}"`);
  if (!known && marked.slice(0, 3).includes(true)) throw new Error("a mark, where no range is known");
  await page.locator("#whole").click();
  return known ? "1e30 is marked as out of range" : "no range is known";
}

// Whatever is chosen, its prediction is said, and the plane behind it is another one.
async function choices(page) {
  const selects = await page.locator("#point select").all();
  await page.locator("#canvas").click({ position: { x: 150, y: 120 } }); // back from where no cell differs
  for (const select of selects) {
    const name = await select.getAttribute("aria-label");
    const texts = await select.locator("option").allTextContents();
    await select.selectOption({ index: 0 });
    await said(page, `${name} ${texts[0]}`);
    await page.waitForTimeout(1000); // for the plane, which is painted after the prediction
    const before = await page.evaluate(pictureData);
    for (const text of texts.slice(1)) {
      await select.selectOption({ label: text });
      await said(page, `${name} ${text}`);
    }
    await page.waitForFunction((old) => document.querySelector("#canvas").toDataURL() !== old, before, {
      timeout: 30_000,
    });
  }
  return selects.length > 0 ? `${selects.length} choices are predicted` : "nothing is chosen";
}

async function dates(page) {
  const fields = await page.locator("#point input[type=datetime-local]").all();
  for (const field of fields) {
    const name = await field.getAttribute("aria-label");
    await field.fill("1969-12-31T23:59:59");
    await said(page, `${name} 1969-12-31T23:59:59Z`);
    await field.fill("");
    await said(page, `${name} missing`);
    await field.press("1"); // half a date
    await page.waitForFunction(() => /^Enter a date/.test(document.querySelector("#announcement").textContent), null, {
      timeout: 5000,
    });
    await field.blur();
    await page.waitForSelector("#prediction .label");
  }
  return fields.length > 0 ? "a date and a missing one are predicted" : "there are no dates";
}

// Runs in the page.
function pictureData() {
  return document.querySelector("#canvas").toDataURL();
}

function said(page, words) {
  const found = (text) => {
    const announced = document.querySelector("#announcement").textContent;
    return announced.includes(text) && /probability/.test(announced);
  };
  return page.waitForFunction(found, words, { timeout: 5000 });
}

async function late(page) {
  await page.locator("#point input[type=number]").first().fill("7e6");
  await page.waitForSelector("#problem:not(:empty)");
  return alerted(page);
}

async function noPlane(page) {
  if (await page.locator("#plane").isVisible()) throw new Error("a plane is painted, where there is none");
  return await page.locator("#no-plane").textContent();
}

async function alerted(page) {
  const text = await page.locator("#problem").textContent();
  const shown = await page.locator("section:visible").count();
  if (!text || shown > 0)
    throw new Error(text ? "something stays on the page beside the message" : "there is no message");
  return text;
}

async function noProblem(page) {
  const text = await page.locator("#problem").textContent();
  if (text) throw new Error(`the page says: ${text}`);
}

// Runs in the page.
function countColors() {
  const canvas = document.querySelector("#canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = { blue: 0, orange: 0 };
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 0) continue;
    const [red, , blue] = data.subarray(at, at + 3);
    if (blue > red + 15) found.blue++;
    if (red > blue + 15) found.orange++;
  }
  return found;
}

// Runs in the page: how many colours, coarsely, that are no grey.
function countHues() {
  const canvas = document.querySelector("#canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const found = new Set();
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = data.subarray(at, at + 3);
    if (data[at + 3] && Math.max(red, green, blue) - Math.min(red, green, blue) > 40)
      found.add((red >> 4) * 256 + (green >> 4) * 16 + (blue >> 4));
  }
  return found.size;
}

function stop(reason, code) {
  console.error(`check: ${reason}`);
  process.exit(code);
}
