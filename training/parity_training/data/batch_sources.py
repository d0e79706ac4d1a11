"""Batches of rows from where they are: Ray, Spark, a DataLoader, or anything that can be iterated over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parity_runtime import InputError, MissingExtraError
from parity_runtime.printable import shown
from parity_training.data.batch_table import BatchTable
from parity_training.data.data_frame import arrow_table, is_frame

_ROWS = 4096


def batches_from(source: Any, columns: Sequence[str] = ()) -> BatchTable:
    """Return a table whose rows come in batches, for `stream_table`, which reads it once and in constant memory.

    >>> import numpy as np
    >>> from parity_training import TableSettings, batches_from, stream_table
    >>> x = np.linspace(0, 1, 1000)
    >>> batches = ({"x": x[i : i + 100], "label": x[i : i + 100] > 0.3} for i in range(0, 1000, 100))
    >>> stream_table(batches_from(batches), TableSettings("label"), "steps", memory=2**26).data
    StoredData(binary, 1 feature, 1000 rows: 816 train, 89 validation, 95 test)

    Args:
        source: a ``ray.data.Dataset``; a DataFrame of Spark (the driver holds two partitions at a time); or an iterable
            of batches, such as torch's DataLoader. A batch is an Arrow record batch or table, a data frame of pandas or
            polars, a mapping from a column's name to its cells, or a sequence of arrays or tensors.
        columns: the names of the columns, if a batch is a sequence of arrays or tensors. An array ``[rows]`` has one
            name, a matrix ``[rows, n]`` has n.

    Raises:
        InputError: the source is not iterable, or is itself a table. While `stream_table` reads it: a batch is of
            another type, or lacks a column.
        MissingExtraError: the source needs pyarrow, which is not installed.
    """
    try:
        import pyarrow  # noqa: F401, PLC0415 -- of the [tables] extra
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'batches need pyarrow, which is not installed; from a checkout of Parity: pip install ".[tables]"'
        ) from error
    library = type(source).__module__.partition(".")[0]
    if isinstance(source, Mapping):
        raise InputError("a mapping from names to cells is one batch; give a list of them: batches_from([batch])")
    if isinstance(source, str | Path) or (library in ("pandas", "polars", "pyarrow") and is_frame(source)):
        raise InputError(f"{shown(source)} is a table by itself: give it to stream_table, or batches of its rows here")
    if library == "ray":
        return BatchTable.of(source.iter_batches(batch_size=_ROWS, batch_format="pyarrow"))
    if library == "pyspark":
        return BatchTable.of(_of_spark(source))
    if not isinstance(source, Iterable):
        raise InputError(f"batches are a dataset of Ray, a DataFrame of Spark or an iterable, not {shown(source)}")
    return BatchTable.of(_table(batch, columns) for batch in source)


def _of_spark(df: Any) -> Iterator[Any]:
    """Give the rows of a DataFrame of Spark, a partition at a time, each batch as the bytes of an Arrow stream."""
    import pyarrow  # noqa: PLC0415

    def streams(batches: Iterable[Any]) -> Iterator[Any]:  # inside, so that a worker needs no Parity to know it
        import pyarrow  # noqa: PLC0415

        for batch in batches:
            sink = pyarrow.BufferOutputStream()
            with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield pyarrow.RecordBatch.from_arrays([pyarrow.array([sink.getvalue().to_pybytes()])], ["stream"])

    names, places = df.columns, [f"c{place}" for place in range(len(df.columns))]  # Spark cannot map a dot in a name
    for row in df.toDF(*places).mapInArrow(streams, "stream binary").toLocalIterator(prefetchPartitions=True):
        with pyarrow.ipc.open_stream(row[0]) as stream:
            yield stream.read_all().rename_columns(names)


def _table(batch: Any, columns: Sequence[str]) -> Any:
    """Return a batch as a ``pyarrow.Table``."""
    import pyarrow  # noqa: PLC0415

    if isinstance(batch, Mapping):
        named = {name: _cells(cells) for name, cells in batch.items()}
    elif isinstance(batch, Sequence) and not isinstance(batch, str):
        named = _named(batch, columns)
    else:
        return arrow_table(batch)
    try:
        return pyarrow.table(named)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"a batch cannot be taken as rows: {reason}") from error


def _named(batch: Sequence[Any], columns: Sequence[str]) -> dict[str, Any]:
    cells = [column for array in batch for column in _split(array)]
    if len({*columns}) < len(columns):
        raise InputError(f"the columns of batches are named {', '.join(columns)}: give each a name of its own")
    if len(cells) != len(columns):
        raise InputError(
            f"a batch has {len(cells)} columns and {len(columns)} names; name each of them: "
            "batches_from(loader, columns=[...])"
        )
    return dict(zip(columns, cells, strict=True))


def _split(array: Any) -> list[Any]:
    """Return the columns of a vector or a matrix."""
    cells = _cells(array)
    if getattr(cells, "ndim", 1) == 1:
        return [cells]
    if cells.ndim != 2:
        raise InputError(f"a batch holds an array of shape {list(cells.shape)}; give [rows] or [rows, columns]")
    return list(cells.T)


def _cells(cells: Any) -> Any:
    """Return a column as what pyarrow takes: a tensor as an array."""
    if not isinstance(cells, Tensor):
        return cells
    cells = cells.detach().cpu()
    return (cells.float() if cells.dtype == torch.bfloat16 else cells).numpy()
