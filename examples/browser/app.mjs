// The page: reads the package named by ?package=, replays its vectors, and paints its plane.

import { byId, element } from "./dom.mjs";
import { Explorer } from "./explorer.mjs";
import { loadLibraries, openFrom } from "./package.mjs";
import { planeOf } from "./plane.mjs";
import { rowsOf } from "./reader/conformance.mjs";
import { ParityError } from "./reader/errors.mjs";
import { replayPackage } from "./reader/replay.mjs";
import { showVectors } from "./vectors.mjs";

start().catch(showProblem);

async function start() {
  const relative = new URLSearchParams(location.search).get("package") || "package/";
  const libraries = await loadLibraries();
  const opened = await openFrom(relative, libraries);
  const replayed = await replayPackage(opened, libraries.ort, libraries.options);
  showHeading(opened, libraries.ort);
  showVerdict(replayed.passed);
  showVectors(opened.contract, replayed);
  showPlane(opened.contract, replayed);
}

function showHeading({ contract, id }, ort) {
  const words = {
    binary: "two classes",
    multiclass: `${contract.classes.length} classes`,
    regression: "a regression",
    tensors: "tensors",
  };
  document.title = `${contract.name}: answered in this page`;
  byId("title").textContent = contract.name;
  byId("subtitle").textContent =
    `${words[contract.task]}, answered in this page by onnxruntime-web ${ort.env.versions.web}`;
  byId("footer").replaceChildren("package ", element("code", {}, id));
}

function showVerdict(passed) {
  byId("verdict").hidden = false;
  byId("verdict").className = `verdict ${passed ? "good" : "bad"}`;
  byId("verdict").textContent = passed ? "Answers here as recorded" : "Does not answer here as recorded";
}

function showPlane(contract, { passed, conformance, sessions: { default: model, certified } }) {
  const plane = planeOf(contract, conformance);
  if (plane.problem) {
    byId("no-plane").textContent = plane.problem;
    byId("no-plane").hidden = false;
    return;
  }
  byId("plane").hidden = false;
  const sessions = { default: model, certified: passed ? certified : undefined }; // a runtime that fails proves nothing
  new Explorer(contract, plane, { sessions, points: recordedPoints(plane, conformance), onError: showProblem });
}

function recordedPoints({ input }, { ordinary }) {
  const { data, dims } = ordinary.inputs[input];
  return Array.from({ length: rowsOf(ordinary) }, (_, row) => ({
    point: data.slice(row * dims[1], (row + 1) * dims[1]),
    label: Number(ordinary.outputs.label.data[row]),
  }));
}

// Nothing stays painted beside an error: what is on the page is checked, or it is not there.
function showProblem(error) {
  for (const id of ["plane", "conformance", "no-plane", "verdict"]) byId(id).hidden = true;
  byId("title").textContent = "The package cannot be used";
  byId("subtitle").textContent = "";
  byId("problem").textContent =
    error instanceof ParityError ? error.message : `Unexpectedly: ${error?.message ?? error}`;
}
