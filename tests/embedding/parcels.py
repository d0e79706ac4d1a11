"""The rows of tests/data/parcels_rows.json, which every language reads and answers alike."""

import json
from typing import Any

import numpy as np

from tests.embedding.cells import CELLS

PARCELS = CELLS.parent / "parcels"
FACTS: dict[str, Any] = json.loads((CELLS.parent / "parcels_rows.json").read_text(encoding="utf-8"))
CELL_ROWS: list[dict[str, Any]] = [row["cells"] for row in FACTS["rows"]]


def check_inputs(found: dict[str, list[Any]]) -> None:
    """Check what a reader made of the rows: tensors by name, flat; NaN is null, int64 the text of its decimal."""
    for name, tensor in FACTS["inputs"].items():
        recorded = list(map(str, tensor["data"])) if tensor["dtype"] == "int64" else tensor["data"]
        assert found[name] == recorded, name


def check_outputs(found: dict[str, Any]) -> None:
    """Check what a model answered, tensors by name: each output that is there, and labels among them."""
    assert "label" in found
    for name, tensor in FACTS["outputs"].items():
        if name in found:
            wanted = np.array(tensor["data"], float)
            np.testing.assert_allclose(np.ravel(found[name]).astype(float), wanted, FACTS["rtol"], FACTS["atol"])
