"""What a format with types says that a column holds."""

from collections.abc import Callable
from typing import Any, Literal

from parity_runtime.tables.arrow_file import ArrowChunk
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.npy_file import ArrayChunk

NativeKind = Literal["number", "code", "boolean", "datetime", "text", "other"]

_OF_NUMPY: dict[str, NativeKind] = {
    "i": "number", "u": "number", "f": "number", "b": "boolean", "M": "datetime", "U": "text", "S": "text",
}  # fmt: skip


def native_kind(chunk: Chunk, name: str) -> NativeKind | None:
    """Return what a format with types says of a column; None where it says nothing, as in CSV and JSON."""
    if isinstance(chunk, ArrowChunk):
        found = _arrow_kind(chunk.batch.column(chunk.index(name)).type)
        return "code" if found == "number" and _is_integer_category(chunk.batch.schema, name) else found
    if isinstance(chunk, ArrayChunk):
        column = chunk.array.dtype[chunk.index(name)]
        return "other" if column.shape else _OF_NUMPY.get(column.kind, "other")
    return None


def _is_integer_category(schema: Any, name: str) -> bool:
    """Whether a column of integers is a category of pandas, of which Parquet keeps a note alone."""
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    columns = (schema.pandas_metadata or {}).get("columns", ())
    noted = any(column.get("name") == name and column.get("pandas_type") == "categorical" for column in columns)
    return noted and pyarrow.types.is_integer(schema.field(name).type)


def _arrow_kind(kind: Any) -> NativeKind | None:
    import pyarrow  # noqa: PLC0415 -- of the [tables] extra

    types = pyarrow.types
    if types.is_dictionary(kind):
        return "code" if types.is_integer(kind.value_type) else _arrow_kind(kind.value_type)
    if types.is_null(kind):
        return None
    checks: list[tuple[NativeKind, tuple[Callable[[Any], bool], ...]]] = [
        ("number", (types.is_integer, types.is_floating, types.is_decimal)),
        ("boolean", (types.is_boolean,)),
        ("datetime", (types.is_timestamp, types.is_date)),
        ("text", (types.is_string, types.is_large_string, types.is_string_view)),
    ]
    return next((name for name, tests in checks if any(test(kind) for test in tests)), "other")
