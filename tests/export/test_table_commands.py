"""The commands over a run of a table with text, codes, truth values and moments: export, certify, check, diff."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from parity_export import ExportOptions, export_package, source_from_run
from parity_export.graph.attach_encoder import attach_encoder
from parity_export.graph.trace import trace
from parity_runtime import Predictor
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import read_table
from parity_runtime.verification.verify import verify
from parity_training import Run
from tests.data.parcels import write_parcels
from tests.warm_process import WarmProcess


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcess) -> tuple[Path, Path, Path]:
    """Return a table, a run of it, and the run's certified package, all made by the commands."""
    folder = tmp_path_factory.mktemp("parcels")
    table, run, package = folder / "parcels.csv", folder / "run", folder / "package"
    write_parcels(table)
    train = ["train", table, "--target", "late", "--categorical", "carrier", "--epochs", "5", "--out", run]
    done = warm.run(train)
    assert done.returncode == 0, done.stderr
    done = warm.run(["export", run, package, "--certified", "--no-plots"])
    assert done.returncode == 0, done.stderr
    return table, run, package
