"""The columns of a DataFrame of Spark's, before and behind a model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from parity_runtime.contract import ModelContract
from parity_runtime.engines.batch_scorer import BatchScorer

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType


def result_schema(table: "StructType", scorer: BatchScorer, contract: ModelContract) -> "StructType":
    """Return the schema of a DataFrame with its answers: its own columns are as they were.

    Raises:
        InputError: a column is missing, or is there already; or the model gives no columns.
    """
    import pyarrow  # noqa: PLC0415 -- of the [spark] extra

    # Which Arrow types Spark will send, only its workers know; a column of nothing is read as any kind.
    names = pyarrow.schema([(name, pyarrow.null()) for name in table.names])
    found = scorer.schema(names, contract, "the DataFrame")
    return _struct([table[field.name] if field.name in table.names else _field(field) for field in found])


def answers_schema(scorer: BatchScorer, contract: ModelContract) -> "StructType":
    """Return the schema of the answers alone.

    Raises:
        InputError: the model gives no columns, or does not take columns of a table.
    """
    return _struct([_field(field) for field in scorer.added(contract)])


def placed(df: "DataFrame", names: Sequence[str]) -> "DataFrame":
    """Return columns by name, called ``c0``, ``c1``, ...: Spark cannot map columns with a dot in their name."""
    places = [f"c{place}" for place in range(len(df.columns))]
    return df.toDF(*places).select(*(places[df.columns.index(name)] for name in names))


def _struct(fields: list[Any]) -> "StructType":
    from pyspark.sql.types import StructType  # noqa: PLC0415 -- of the [spark] extra

    return StructType(fields)


def _field(field: Any) -> Any:
    """Return an added column's ``StructField``."""
    from pyspark.sql import types  # noqa: PLC0415

    kinds = {"float": types.FloatType, "bool": types.BooleanType, "int64": types.LongType, "string": types.StringType}
    return types.StructField(field.name, kinds[str(field.type)]())
