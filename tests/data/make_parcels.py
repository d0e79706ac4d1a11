"""Makes the package ``parcels`` beside it, and rows for it: ``python tests/data/make_parcels.py``.

The package is of a run over a table of every kind of column: numbers, truth values, text that is not ASCII, codes and
moments before 1970. ``parcels_rows.json`` holds cells as they stand in tables, what the graph takes for them, and what
it answers; package-format.md says how it is written. Both are checked in, so that Python, C, Node and the browser
answer the same rows. Make them again only when the format has to change.
"""

import csv
import json
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export import ExportOptions, export_package, source_from_run
from parity_export.gate.torch_reference import TorchReference
from parity_runtime import ModelContract, Predictor
from parity_runtime.files.json_file import FORMAT, dump_json
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import read_table
from parity_runtime.verification.tensor_json import array_to_json
from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model

HERE = Path(__file__).parent
ROWS = HERE / "parcels_rows.json"
COLUMNS = ("weight", "city", "carrier", "fragile", "sent", "late")
SETTINGS = TableSettings("late", categorical=("carrier",))

Cells = dict[str, Any]

_PARCEL: Cells = {"weight": 3.5, "city": "Zürich", "carrier": 30, "fragile": True, "sent": "1968-02-29T23:59:59"}

CELLS: dict[str, Cells] = {
    "every cell known": {},
    "every cell missing": dict.fromkeys(_PARCEL),
    "every cell empty": dict.fromkeys(_PARCEL, ""),
    "words for a missing cell": {"weight": "NA", "city": " NA ", "carrier": "null", "fragile": "", "sent": "NaN"},
    "a code that arrived as a float": {"carrier": 30.0},
    "a code as text": {"carrier": "2"},
    "a code as the text of a float": {"carrier": "2.0"},
    "a code with zeros before it is unknown": {"carrier": "002"},
    "a fraction is no code": {"carrier": 2.5},
    "a code that training has not seen": {"carrier": 99},
    "a category in another script": {"city": "東京"},
    "a category that training has not seen": {"city": "Reykjavík"},
    "white space makes another category": {"city": "Zürich "},
    "so does the case": {"city": "ZÜRICH"},
    "so does another spelling in Unicode": {"city": "Zu\u0308rich"},
    "a word that is none for a missing cell": {"city": "none"},
    "a truth value as text": {"fragile": "FALSE"},
    "a truth value as a number": {"fragile": 0},
    "a date is its midnight": {"sent": "1969-12-31"},
    "the second before 1970": {"sent": "1969-12-31T23:59:59"},
    "a fraction of a second is floored, also before 1970": {"sent": "1969-12-31 23:59:58.5"},
    "a zone is taken into account": {"sent": "1970-01-01T00:30:00+01:00"},
    "a leap day": {"sent": "1960-02-29T12:00:00Z"},
    "a century's end that is no leap year": {"sent": "1900-02-28T23:59:59"},
    "a moment long before training": {"sent": "1066-10-14T09:00:00"},
}
"""What each row is, and its cells that are others than `_PARCEL`'s."""


def write_parcels(path: Path, rows: int = 400) -> None:
    """Write a table of parcels, the same every time: a few cells of each kind are missing."""
    draw = random.Random(1960)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_parcel(draw) for _ in range(rows))


def _parcel(draw: random.Random) -> list[Any]:
    weight, fragile = round(draw.uniform(0.1, 30.0), 2), draw.random() < 0.3
    city, carrier = draw.choice(("Oslo", "Paris", "Zürich", "東京")), draw.choice((1, 2, 30))
    sent = datetime(1955, 1, 1) + timedelta(seconds=draw.randrange(30 * 365 * 86_400))
    delay = weight / 10 + 1.5 * (city == "東京") + (carrier == 30) + fragile + (sent.month == 12) + draw.gauss(0, 0.4)
    cells = [weight, city, carrier, str(fragile).lower(), sent.isoformat()]
    return [*("" if draw.random() < 0.03 else cell for cell in cells), "yes" if delay > 3 else "no"]


def rows_of(contract: ModelContract) -> tuple[list[Cells], Arrays]:
    """Return the cells of every row, and what the graph takes for them."""
    cells = [{**_PARCEL, **changed} for changed in CELLS.values()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in cells), encoding="utf-8")
        read = chunk_inputs(contract, read_table(str(path)))
    return cells, {spec.name: read[spec.name].astype(spec.numpy_dtype) for spec in contract.inputs}


def _tensor(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array's JSON form; a missing number, NaN, is null, because JSON has no other word for it."""
    written = array_to_json(array)
    return written | {"data": [None if cell != cell else cell for cell in written["data"]]}  # noqa: PLR0124


def make() -> None:
    """Write the package and the rows."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "parcels.csv"
        write_parcels(table)
        data = table_data(TableDataset(str(table), SETTINGS), SETTINGS, "parcels")
        run = train_model(data, NetworkChoice("MLP", {"hidden": [8]}), TrainSettings(epochs=60), Path(folder) / "run")
        source = source_from_run(run)
        options = ExportOptions(certified=True, plots=False, replace=True)
        contract = export_package(source, HERE / "parcels", options).contract
    cells, inputs = rows_of(contract)
    answers = TorchReference(source, double=True)(inputs)
    outputs = {spec.name: answers[spec.name].astype(spec.dtype) for spec in contract.outputs}
    found = Predictor(HERE / "parcels").run(dict(inputs))
    assert all(np.allclose(found[name], array, rtol=1e-3, atol=1e-5) for name, array in outputs.items())
    rows = [{"what": what, "cells": row} for what, row in zip(CELLS, cells, strict=True)]
    facts: dict[str, Any] = {"format": FORMAT, "package": "parcels", "rows": rows, "rtol": 1e-3, "atol": 1e-5}
    facts |= {
        side: {name: _tensor(array) for name, array in arrays.items()}
        for side, arrays in (("inputs", inputs), ("outputs", outputs))
    }
    ROWS.write_bytes(dump_json(facts))


if __name__ == "__main__":
    make()
