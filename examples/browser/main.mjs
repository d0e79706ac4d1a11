// The page's entry. What `npm run vendor` copies is loaded before the modules that import it, so that the page can say
// when it is not there.

import { loadLibraries } from "./libraries.mjs";
import { showMessage } from "./message.mjs";

const NO_VENDOR = "vendor/ cannot be loaded; run npm ci --ignore-scripts && npm run vendor in the folder of index.html";

loadLibraries()
  .then(
    async (libraries) => (await import("./app.mjs")).start(libraries),
    () => showMessage(NO_VENDOR),
  )
  .catch((error) => showMessage(`unexpected error: ${error?.message ?? error}`));
