// What the page shows in place of everything else.

import { byId } from "./dom.mjs";

const PARTS = ["welcome", "plane", "test-vectors", "no-plane", "result", "problem"];

/** Nothing stays painted beside a message: what is on the page is checked, or it is not there. */
export function showMessage(text) {
  clearPage("The package cannot be used", "");
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

/** Without any package: what to do. */
export function showWelcome() {
  clearPage("Look at a package", "Its model runs in this page; nothing of it leaves this machine.");
  byId("welcome").hidden = false;
}

/** Empties the page for what comes. */
export function clearPage(title, subtitle) {
  for (const id of PARTS) byId(id).hidden = true;
  byId("problem").textContent = "";
  byId("title").textContent = title;
  byId("subtitle").textContent = subtitle;
  byId("footer").replaceChildren();
}
