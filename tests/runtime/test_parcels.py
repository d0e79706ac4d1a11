"""The package ``parcels`` and its rows, which every language answers alike: docs/reference/package-format.md."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from parity_runtime import Predictor
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.package.manifest import Package
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import read_table
from parity_runtime.verification.verify import verify

DATA = Path(__file__).parents[1] / "data"
PARCELS = DATA / "parcels"
FACTS: dict[str, Any] = json.loads((DATA / "parcels_rows.json").read_text(encoding="utf-8"))
WHAT = [row["what"] for row in FACTS["rows"]]


def tensors(side: str) -> dict[str, np.ndarray]:
    """Return the recorded inputs or outputs; null is NaN, and the text of an integer is that integer."""
    found = {}
    for name, tensor in FACTS[side].items():
        cells = [int(cell) if tensor["dtype"] == "int64" else cell for cell in tensor["data"]]
        dtype = object if tensor["dtype"] == "string" else tensor["dtype"]
        found[name] = np.array([np.nan if cell is None else cell for cell in cells], dtype).reshape(tensor["shape"])
    return found


def assert_answers(found: dict[str, np.ndarray]) -> None:
    """Compare answers with the recorded ones by the file's own tolerances."""
    for name, wanted in tensors("outputs").items():
        np.testing.assert_allclose(found[name], wanted, rtol=FACTS["rtol"], atol=FACTS["atol"], err_msg=name)


def test_the_rows_hold_what_tables_hold() -> None:
    """Missing, unknown, non-ASCII, before 1970, codes that arrived as floats: a file without one would show nothing."""
    inputs = tensors("inputs")
    seconds = inputs["timestamps"]
    assert (seconds == MISSING_TIMESTAMP).any()
    assert ((seconds < 0) & (seconds != MISSING_TIMESTAMP)).any()
    assert np.isnan(inputs["features"]).any()
    texts = set(inputs["categories"].ravel().tolist())
    assert {"", "東京", "30", "002", "Reykjavík"} <= texts
    assert "30.0" not in texts
    assert any(isinstance(row["cells"]["carrier"], float) for row in FACTS["rows"])


@pytest.mark.parametrize("place", range(len(WHAT)), ids=WHAT)
def test_cells_are_read_as_the_graph_takes_them(place: int, tmp_path: Path) -> None:
    """As JSON Lines, the numbers of a row are what they were in the table."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(FACTS["rows"][place]["cells"]) + "\n", encoding="utf-8")
    read = chunk_inputs(Package.open(PARCELS).contract, read_table(str(path)))
    for name, wanted in tensors("inputs").items():
        np.testing.assert_array_equal(read[name][0], wanted[place].astype(read[name].dtype))


@pytest.mark.parametrize("certified", [False, True])
def test_the_predictor_answers_as_recorded(certified: bool) -> None:
    """From the graph's inputs, on the plain and on the certified graph."""
    assert_answers(Predictor(PARCELS, certified=certified).run(tensors("inputs")))


def test_bare_onnxruntime_answers_as_recorded() -> None:
    """Nothing of Parity: strings, seconds and numbers are all that the graph takes."""
    session = onnxruntime.InferenceSession(PARCELS / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert_answers(dict(zip(names, session.run(names, tensors("inputs")), strict=True)))


def test_rows_without_names_and_columns_are_taken_alike() -> None:
    """Cells as Python has them: None, truth values, floats and text in one list of rows, or column by column."""
    predictor = Predictor(PARCELS)
    names = [feature.name for feature in predictor.contract.features]
    rows = [[row["cells"][name] for name in names] for row in FACTS["rows"]]
    columns = {name: [row["cells"][name] for row in FACTS["rows"]] for name in names}
    labels = [predictor.contract.classes[label] for label in tensors("outputs")["label"]]
    assert predictor.predict(rows).tolist() == labels
    assert predictor.predict(columns).tolist() == labels


def test_the_package_verifies() -> None:
    """Its own vectors hold a missing and an unknown text and a timestamp before 1970."""
    verify(PARCELS)
    inputs = json.loads((PARCELS / "conformance.json").read_text(encoding="utf-8"))["ordinary"]["inputs"]
    seconds = [int(cell) for cell in inputs["timestamps"]["data"]]
    assert str(MISSING_TIMESTAMP) in inputs["timestamps"]["data"]
    assert any(MISSING_TIMESTAMP < one < 0 for one in seconds)
    assert "" in inputs["categories"]["data"]
