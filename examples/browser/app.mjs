// The page: reads a package, replays its test vectors, and paints what the model predicts. The package is the one that
// ?package= names, the folder package/ beside the page, or a folder that is dropped or chosen.

import { byId, element } from "./dom.mjs";
import { listenForFolders, openFiles } from "./dropped_package.mjs";
import { Explorer } from "./explorer.mjs";
import { planeOf, predictor, rowOf } from "./feature_plane.mjs";
import { fetchPackage, isThere } from "./fetch_package.mjs";
import { clearPage, showMessage, showWelcome } from "./message.mjs";
import { ParityError, replayPackage, rowsOf } from "./reader.mjs";
import { tellingAxes } from "./telling_features.mjs";
import { explainTerms, term } from "./terms.mjs";
import { showTestVectors } from "./test_vectors.mjs";

const BESIDE = "package/";
const READING = ["Reading the package", "Its model runs in this page; nothing that you enter leaves it."];
let shown = new AbortController(); // of the package that the page shows; aborted when another one comes

/** Fills the page; what goes wrong is shown on it. */
export async function start(libraries) {
  explainTerms();
  listenForFolders((files) => show(async () => openFiles(await files, libraries), libraries));
  const named = new URLSearchParams(location.search).get("package");
  const isBeside = !named && (await isThere(BESIDE).catch(() => false));
  if (shown.started) return; // a folder was dropped meanwhile
  if (named || isBeside) await show(() => fetchPackage(named || BESIDE, libraries), libraries);
  else showWelcome();
}

/** Shows the package that `open()` opens, in place of the one before. */
async function show(open, libraries) {
  shown.abort();
  const { signal } = (shown = new AbortController());
  shown.started = true;
  const onError = (error) => signal.aborted || showError(error);
  clearPage(...READING);
  try {
    await fill(await open(), libraries, { signal, onError });
  } catch (error) {
    onError(error);
  }
}

async function fill(opened, { ort, options }, until) {
  const { signal } = until;
  if (signal.aborted) return;
  const replayed = await replayPackage(opened, ort, options);
  signal.addEventListener("abort", () => replayed.close());
  if (signal.aborted) return void replayed.close();
  showHeading(opened, ort);
  showResult(replayed.passed);
  showTestVectors(opened.contract, replayed);
  await showPlane(opened.contract, replayed, until);
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
  byId("footer").replaceChildren(term("package id"), " ", element("code", {}, id));
}

function showResult(passed) {
  byId("result").hidden = false;
  byId("result").className = `result ${passed ? "good" : "bad"}`;
  byId("result").textContent = passed ? "Passes its test vectors here" : "Does not pass its test vectors here";
}

async function showPlane(contract, { passed, testVectors, sessions }, { signal, onError }) {
  const plane = planeOf(contract, testVectors);
  if (plane.problem) {
    byId("no-plane").textContent = plane.problem;
    byId("no-plane").hidden = false;
    return;
  }
  const certified = passed ? sessions.certified : undefined; // one that fails certifies nothing
  const predict = predictor(plane, { ...sessions, certified });
  const points = testInputs(plane, testVectors);
  const plain = predictor(plane, { default: sessions.default });
  const axes = await tellingAxes(
    plane,
    points.map(({ point }) => point),
    plain,
  );
  if (signal.aborted) return;
  byId("plane").hidden = false;
  new Explorer(contract, plane, { axes, predict, certified: Boolean(certified), points, signal, onError });
}

function testInputs(plane, { ordinary }) {
  const { [plane.labels]: labels, value } = ordinary.outputs;
  const ofRow = (tensor, row) => {
    const width = tensor?.dims[1] ?? 1; // of a label, which has one dimension
    return tensor && Array.from(tensor.data.slice(row * width, (row + 1) * width), Number);
  };
  return Array.from({ length: rowsOf(ordinary) }, (_, row) => ({
    point: rowOf(plane, ordinary.inputs, row),
    labels: ofRow(labels, row),
    values: ofRow(value, row),
  }));
}

function showError(error) {
  showMessage(error instanceof ParityError ? error.message : `unexpected error: ${error?.message ?? error}`);
}
