// The page: reads the package named by ?package=, replays its test vectors, and paints the plane of two numbers.

import { byId, element } from "./dom.mjs";
import { Explorer } from "./explorer.mjs";
import { planeOf, rowOf } from "./feature_plane.mjs";
import { fetchPackage } from "./fetch_package.mjs";
import { showMessage } from "./message.mjs";
import { ParityError, replayPackage, rowsOf } from "./reader.mjs";
import { showTestVectors } from "./test_vectors.mjs";

/** Fills the page; what goes wrong is shown on it. */
export function start(libraries) {
  return fill(libraries).catch(showError);
}

async function fill(libraries) {
  const relative = new URLSearchParams(location.search).get("package") || "package/";
  const opened = await fetchPackage(relative, libraries);
  const replayed = await replayPackage(opened, libraries.ort, libraries.options);
  showHeading(opened, libraries.ort);
  showResult(replayed.passed);
  showTestVectors(opened.contract, replayed);
  showPlane(opened.contract, replayed);
}

function showHeading({ contract, id }, ort) {
  const words = {
    binary: "Binary classification",
    multiclass: `Classification into ${contract.classes.length} classes`,
    multilabel: `Classification with ${contract.classes.length} labels`,
    tagging: `Tags of ${contract.classes.length} classes`,
    embedding: "Embeddings",
    language_model: "A language model",
    regression: "Regression",
    tensors: "A model of tensors",
  };
  document.title = `${contract.name}: a Parity package in this page`;
  byId("title").textContent = contract.name;
  byId("subtitle").textContent =
    `${words[contract.task]}, computed in this page by onnxruntime-web ${ort.env.versions.web}`;
  byId("footer").replaceChildren("package ", element("code", {}, id));
}

function showResult(passed) {
  byId("result").hidden = false;
  byId("result").className = `result ${passed ? "good" : "bad"}`;
  byId("result").textContent = passed ? "Passes its test vectors here" : "Does not pass its test vectors here";
}

function showPlane(contract, { passed, testVectors, sessions: { default: model, certified } }) {
  const plane = planeOf(contract, testVectors);
  if (plane.problem) {
    byId("no-plane").textContent = plane.problem;
    byId("no-plane").hidden = false;
    return;
  }
  byId("plane").hidden = false;
  const sessions = { default: model, certified: passed ? certified : undefined }; // one that fails certifies nothing
  new Explorer(contract, plane, { sessions, points: testInputs(plane, testVectors), onError: showError });
}

function testInputs(plane, { ordinary }) {
  return Array.from({ length: rowsOf(ordinary) }, (_, row) => ({
    point: rowOf(plane, ordinary.inputs, row),
    label: Number(ordinary.outputs.label.data[row]),
  }));
}

function showError(error) {
  showMessage(error instanceof ParityError ? error.message : `Unexpectedly: ${error?.message ?? error}`);
}
