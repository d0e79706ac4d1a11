"""Predict the rows of Spark's DataFrames, or in its SQL, as ``parity predict`` does; needs the [spark] extra.

>>> from parity_runtime import spark
>>> scored = spark.predict(points, "packages/xor")
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from parity_runtime.arguments import check_choice
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.spark_answers import answered
from parity_runtime.engines.spark_archive import ship as ship_package
from parity_runtime.engines.spark_columns import answers_schema
from parity_runtime.engines.spark_errors import parity_errors
from parity_runtime.engines.spark_python import check_workers
from parity_runtime.engines.spark_session import check_spark
from parity_runtime.engines.spark_task import ColumnsTask, PartitionTask, SparkTask
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.scoring.score_chunk import Errors, OutsideRange

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["parity_errors", "predict", "predict_udf"]

_INSTALL = 'from a checkout of Parity: pip install ".[cpu,spark]"'


def predict(  # noqa: PLR0913 -- the options of parity predict, by name
    df: "DataFrame",
    package: str | Path,
    *,
    columns: Sequence[str] = (),
    errors: Errors = "raise",
    out_of_range: OutsideRange = "ignore",
    reasons: str = "",
    certified: bool = False,
    prefix: str = "",
    ship: bool = False,
    allow_operators: Collection[str] = (),
) -> "DataFrame":
    """Return a DataFrame with the columns that ``parity predict`` adds to a table, bit for bit.

    The DataFrame is lazy, as usual in Spark. The columns and the package are checked at once. The rows are predicted
    when an action needs them; `parity_errors` then turns Spark's exception into one line. Rows keep their partitions.
    Each Python worker holds one session, and predicts as many Arrow batches at once as its tasks have cores
    (``spark.task.cpus``).

    >>> from parity_runtime import spark
    >>> from pyspark.sql import SparkSession
    >>> session = SparkSession.builder.getOrCreate()
    >>> points = session.createDataFrame([("a", 0.1, 0.9), ("b", 0.9, 1.1)], ["id", "x1", "x2"])
    >>> spark.predict(points, "tests/data/xor", columns=["id", "label"]).orderBy("id").collect()
    [Row(id='a', label=1), Row(id='b', label=0)]

    Args:
        df: has the columns that the model takes, by name, in any order.
        package: the package folder. Workers open the same path, and check that the package there has the same id as the
            driver's.
        columns: the columns to return, of the DataFrame and of the predictions; empty for all.
        errors: what to do if a row cannot be predicted: ``raise`` ends the job, ``skip`` leaves out the row, ``null``
            leaves its predictions null.
        out_of_range: what to do if a feature is outside the range of the training rows: ``ignore`` predicts the row,
            ``mark`` also writes true in the column ``out_of_range``, ``refuse`` treats it as a row that cannot be
            predicted.
        reasons: with ``null``: the name of a last column, which says why a row has no prediction; empty for none.
        certified: run the certified graph, which adds what is proven of each row.
        prefix: the names of the added columns begin with this.
        ship: send the package to the workers with Spark (``SparkContext.addArchive``), if they do not see its path.
        allow_operators: as in `Predictor`.

    Raises:
        InputError: a column is missing, or the DataFrame already has a column that would be added; there is no package;
            an option has a wrong value; or the model's rows influence one another, or its predictions are not columns.
        MissingExtraError: pyspark is not installed, or Spark on this machine runs its workers with a Python that has no
            Parity.
        ParityError: as `Predictor`.
    """
    check_spark()
    if not hasattr(df, "mapInArrow"):
        raise InputError(
            f"{type(df).__module__}.{type(df).__name__} is not a DataFrame of Spark's; make one with "
            "SparkSession.createDataFrame"
        )
    check_workers(df.sparkSession)
    worker = WorkerPredictor.of(package, certified=certified, allow_operators=allow_operators)
    columns = (columns,) if isinstance(columns, str) else tuple(columns)
    scorer = BatchScorer(worker, columns, errors, out_of_range, prefix, reasons=reasons)
    return answered(df, PartitionTask(scorer, _archive(df.sparkSession, worker, ship=ship)))


def predict_udf(  # noqa: PLR0913 -- as `predict`
    package: str | Path,
    *,
    errors: Literal["raise", "null"] = "raise",
    out_of_range: OutsideRange = "ignore",
    reasons: str = "",
    certified: bool = False,
    ship: bool = False,
    allow_operators: Collection[str] = (),
) -> Any:
    """Return a function of columns for ``withColumn`` and ``select``, and for SQL after ``spark.udf.register``.

    The function takes the model's columns, either in the order in which ``parity info`` lists them, or by name, or in
    one struct. It returns a struct of the columns that ``parity predict`` adds. It is an ``arrow_udf``: Spark passes it
    Arrow arrays.

    >>> from parity_runtime import spark
    >>> from pyspark.sql import SparkSession
    >>> session = SparkSession.builder.getOrCreate()
    >>> _ = session.udf.register("xor", spark.predict_udf("tests/data/xor"))
    >>> session.sql("SELECT xor(x1, x2).label AS y FROM VALUES (0.1, 0.9), (0.9, 1.1) AS t(x1, x2)").collect()
    [Row(y=1), Row(y=0)]

    Args:
        package: as in `predict`.
        errors: what to do if a row cannot be predicted: ``raise`` ends the job, ``null`` leaves its predictions null. A
            function of columns cannot leave out a row.
        out_of_range: as in `predict`.
        reasons: with ``null``: the name of the struct's last field, which says why a row has no prediction.
        certified: as in `predict`.
        ship: as in `predict`; it needs an active session.
        allow_operators: as in `Predictor`.

    Raises:
        InputError: as in `predict`.
        MissingExtraError: as in `predict`, or pyspark is older than 4.1.
        ParityError: as `Predictor`.
    """
    check_spark()
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 -- of the [spark] extra
        from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined] # noqa: PLC0415 -- its stub lacks it
    except ImportError as error:
        raise MissingExtraError(f"this pyspark has no arrow_udf, which came with 4.1; {_INSTALL}") from error
    check_choice("errors", errors, ("raise", "null"))
    if active := SparkSession.getActiveSession():
        check_workers(active)
    worker = WorkerPredictor.of(package, certified=certified, allow_operators=allow_operators)
    scorer, contract = BatchScorer(worker, (), errors, out_of_range, reasons=reasons), worker.open().contract
    answers = answers_schema(scorer, contract)
    columns = tuple(name for name in answers.names if name != reasons)
    task = SparkTask(replace(scorer, columns=columns), _archive(None, worker, ship=ship))
    given = ColumnsTask(task, [feature.name for feature in contract.row_features])
    # Spark takes the kind of the function from its annotations, or from their absence.
    function = lambda *columns, **named: given.answers(columns, named)  # noqa: E731
    function.__name__ = contract.name
    return arrow_udf(function, answers)


def _archive(session: "SparkSession | None", worker: WorkerPredictor, *, ship: bool) -> str:
    """Return the name that a package was shipped under, with a session or the active one; nothing where it was not."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 -- of the [spark] extra

    return ship_package(session or SparkSession.active(), worker.path, worker.package_id) if ship else ""
