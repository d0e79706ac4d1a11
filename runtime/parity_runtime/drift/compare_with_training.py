"""Compare a table with the rows that a package's model was trained on, without running the model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from parity_runtime.contract import ModelContract
from parity_runtime.drift.drift_report import DriftReport, drift_report
from parity_runtime.drift.profile import read_profile
from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.inference.input_validation import table_inputs
from parity_runtime.package.manifest import Package
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import check_takes_rows, read_inputs
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_file import TableFile

_ROWS_AT_ONCE = 2**15


def compare_with_training(package: str | Path, rows: Any, reading: ReadOptions | None = None) -> DriftReport:
    """Return how the columns of a table differ from those of the training rows.

    The model is not run, so onnxruntime is not needed. A file is read once, in constant memory.

    >>> from parity_runtime import compare_with_training
    >>> report = compare_with_training("tests/data/mixed", {
    ...     "color": ["red", "blue"], "size": [1.0, 99.0], "when": ["2020-01-01", None], "new": [True, False],
    ...     "code": [1, 2]})
    >>> report.column("color").unknown, report.column("size").outside, report.column("when").missing
    (0.5, 0.5, 0.5)
    >>> report.training_rows is None  # this package has no profile.json, which records the training rows
    True

    Args:
        package: the package folder.
        rows: the path of a table (CSV, JSON Lines, .npy, Parquet, Arrow), or rows in memory as `Predictor.predict`
            takes them: a data frame, columns by name each ``[rows]``, or an array ``[rows, features]``.
        reading: for a file whose name does not say how it is written: a
            `parity_runtime.tables.read_options.ReadOptions`.

    Returns:
        For each column, shares from 0 to 1 and its stability index. In a file, every cell that can be read counts, even
        if another cell of its row cannot be read.

    Raises:
        InputError: there is no package or no file, a column is missing, or a cell of rows in memory cannot be read.
        FormatError: profile.json is malformed, or does not fit the contract.
        DigestError: a file of the package is not the one that was packaged.
    """
    opened = Package.open(package)
    contract = opened.contract
    check_takes_rows(contract)
    counts = TableCounts(contract, read_profile(package, opened.id))
    if isinstance(rows, str | Path):
        for chunk in _chunks(contract, str(rows), reading):
            count_chunk(counts, chunk)
    else:
        counts.update(table_inputs(contract, rows))
    return drift_report(counts)


def count_chunk(counts: TableCounts, chunk: Chunk) -> None:
    """Take a chunk of a table that nobody answers."""
    inputs, refused = read_inputs(counts.contract, chunk)
    if not refused:
        counts.update(inputs)
        return
    known = np.ones(len(chunk), np.bool_)
    known[list(refused)] = False
    counts.update({name: array[known] for name, array in inputs.items()})
    counts.update_unread(chunk.keep(~known))


def _chunks(contract: ModelContract, name: str, reading: ReadOptions | None) -> Iterator[Chunk]:
    columns = [feature.name for feature in contract.row_features]
    return TableFile.named(name, reading, trained=contract.missing_values, columns=columns).chunks(_ROWS_AT_ONCE)
