"""DataFrames of Spark's with their answers."""

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from parity_runtime.engines.spark_columns import placed, result_schema
from parity_runtime.engines.spark_task import PartitionTask

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def answered(df: "DataFrame", task: PartitionTask) -> "DataFrame":
    """Return a DataFrame with its answers, lazily; Spark reads no columns that are neither taken nor given.

    Raises:
        InputError: a column is missing, or is there already; or the model gives no columns.
    """
    contract = task.scorer.worker.open().contract
    schema = result_schema(df.schema, task.scorer, contract)
    features = {feature.name for feature in contract.columns}
    needed = [name for name in df.columns if name in features or name in schema.names]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")  # through which no batch goes
        return placed(df, needed).mapInArrow(replace(task, names=tuple(needed)).answers, schema)
