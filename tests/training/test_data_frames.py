"""Data frames of pandas, polars and pyarrow are trained on as their Parquet files are."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import InputError
from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model
from parity_training.data.training_data import TrainingData
from parity_training.fitting.stop_signals import StoppedError
from parity_training.train import resume

pyarrow = pytest.importorskip("pyarrow")
pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

ROWS = 90
SETTINGS = TableSettings("price", datetime=("sold",))
COLUMNS: dict[str, Any] = {
    "size": [None if row % 9 == 0 else 1.5 * row for row in range(ROWS)],
    "city": [("York", "Leeds", None, "Hull")[row % 4] for row in range(ROWS)],
    "sold": [datetime(2020, 1, 31) + timedelta(31 * row) for row in range(ROWS)],
    "garden": [row % 3 == 0 for row in range(ROWS)],
    "price": [2.5 * row + row % 4 for row in range(ROWS)],
}


def arrow() -> Any:
    return pyarrow.table(COLUMNS)


FRAMES = {
    "pandas": lambda: arrow().to_pandas(),
    "pandas with an index": lambda: arrow().to_pandas().set_index(pandas.Index(range(100, 100 + ROWS), name="number")),
    "polars": lambda: polars.from_arrow(arrow()),
    "pyarrow": arrow,
}


def problem(table: Any) -> TrainingData:
    return table_data(TableDataset(table, SETTINGS), SETTINGS, "t")


def run(table: Any, out: Path) -> dict[str, bytes]:
    train_model(problem(table), NetworkChoice("MLP", {"hidden": [4]}), TrainSettings(epochs=2, batch_size=16), out)
    return {name: (out / name).read_bytes() for name in ("state_dict.pt", "test.csv", "recipe.json")}


@pytest.mark.parametrize("library", FRAMES)
def test_a_data_frame_gives_the_run_of_its_parquet_file(tmp_path: Path, library: str) -> None:
    frame, path = FRAMES[library](), tmp_path / "t.parquet"
    if library.startswith("pandas"):
        frame.to_parquet(path)
    elif library == "polars":
        frame.write_parquet(path)
    else:
        from pyarrow import parquet

        parquet.write_table(frame, path)
    of_frame, of_file = run(frame, tmp_path / "a"), run(path, tmp_path / "b")
    assert of_frame["test.csv"] == of_file["test.csv"] and of_frame["test.csv"].count(b"\n") == 10
    recipes = [json.loads(found["recipe.json"]) for found in (of_frame, of_file)]
    assert recipes[0]["data"] == recipes[1]["data"] and recipes[0]["contract"] == recipes[1]["contract"]
    assert of_frame["state_dict.pt"] == of_file["state_dict.pt"]


def test_a_stopped_run_of_a_data_frame_goes_on_with_the_frame(tmp_path: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    choice, settings = NetworkChoice("MLP", {"hidden": [4]}), TrainSettings(epochs=3, batch_size=16)
    whole = train_model(problem(arrow()), choice, settings, tmp_path / "whole")
    with pytest.raises((KeyboardInterrupt, StoppedError)):
        train_model(problem(arrow()), choice, settings, tmp_path / "run", on_epoch=stop)
    other = {**COLUMNS, "size": [1.0 * row for row in range(ROWS)]}
    with pytest.raises(InputError):
        resume(tmp_path / "run", problem(pyarrow.table(other)))
    again = resume(tmp_path / "run", problem(arrow().to_pandas()))
    weights = [found.module().state_dict() for found in (whole, again)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


@pytest.mark.parametrize(
    ("table", "settings", "words"),
    [
        (pandas.DataFrame({"x": [1, "a", b"b"], "y": [1, 2, 3]}), {}, "cannot be taken as a table"),
        (pandas.DataFrame({"x": [1.5, 2.5], "y": [1, 2]}), {"delimiter": ";"}, "delimiter is for a file"),
        (pandas.DataFrame({"x": [1.5], "z": [1]}), {}, "has no column 'y'; it has x, z"),
        (pandas.DataFrame({"x": [], "y": []}), {}, "no rows"),
        ([[1, 2]], {}, "a data frame of pandas, polars or pyarrow, not ["),
        (pandas.Series([1.5]), {}, "a data frame of pandas, polars or pyarrow"),
        (polars.LazyFrame({"x": [1]}), {}, "a data frame of pandas, polars or pyarrow"),
    ],
)
def test_what_is_no_table_is_refused(table: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as found:
        TableDataset(table, TableSettings("y", **settings))
    assert words in str(found.value) and "\n" not in str(found.value)


def test_without_pyarrow_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from parity_training import TableDataset, TableSettings\n"
        "class Frame: columns = ['y']\n"
        "try: TableDataset(Frame(), TableSettings('y'))\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 'pip install ".[tables]"' in done.stdout
