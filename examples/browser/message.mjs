// What the page shows in place of everything else.

import { byId } from "./dom.mjs";

/** Nothing stays painted beside a message: what is on the page is checked, or it is not there. */
export function showMessage(text) {
  for (const id of ["plane", "test-vectors", "no-plane", "result"]) byId(id).hidden = true;
  byId("title").textContent = "The package cannot be used";
  byId("subtitle").textContent = "";
  byId("problem").textContent = text;
}
