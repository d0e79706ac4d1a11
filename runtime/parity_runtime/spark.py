"""Predictions on Spark: DataFrames and SQL, with the answers of ``parity predict``; needs the [spark] extra.

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
    """Return a DataFrame with the columns that ``parity predict`` adds to a table, and the same bits in them.

    It is lazy, as DataFrames are: columns and package are checked at once, rows when they are asked for
    (`parity_errors` makes one line of what goes wrong then). Rows keep their partitions. Each Python worker holds one
    session, and answers as many Arrow batches at once as its tasks have cores (``spark.task.cpus``).

    >>> from parity_runtime import spark
    >>> from pyspark.sql import SparkSession
    >>> session = SparkSession.builder.getOrCreate()
    >>> points = session.createDataFrame([("a", 0.1, 0.9), ("b", 0.9, 1.1)], ["id", "x1", "x2"])
    >>> spark.predict(points, "tests/data/xor", columns=["id", "label"]).orderBy("id").collect()
    [Row(id='a', label=1), Row(id='b', label=0)]

    Args:
        df: has the columns that the model takes, by name, in any order.
        package: the package folder. Workers open the same path, and check that the package there has the id that the
            driver's has.
        columns: those to give, of the DataFrame and of the answers; empty for all.
        errors: what becomes of a row that cannot be predicted: ``raise`` ends the job, ``skip`` leaves it out, ``null``
            leaves its answers null.
        out_of_range: what becomes of a row outside what the model has seen in training: ``ignore``, ``mark`` (the
            column ``out_of_range``), ``refuse`` (as a row that cannot be predicted).
        reasons: with ``null``, the name of a column behind all others that says why a row has no answer.
        certified: run the certified graph, which adds what is proven of each row.
        prefix: what the names of the added columns begin with.
        ship: bring the package to the workers with Spark (``SparkContext.addArchive``), where they do not see its path.
        allow_operators: as in `Predictor`.

    Raises:
        InputError: a column is missing, or is there already; there is no package, or no such option; or the model
            answers a table as a whole, or gives no columns.
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

    It takes the model's columns in the order in which the package lists them (``parity info``), or by name, or one
    struct that has them; it gives a struct of the columns that ``parity predict`` adds. Spark hands it Arrow arrays
    (``arrow_udf``).

    >>> from parity_runtime import spark
    >>> from pyspark.sql import SparkSession
    >>> session = SparkSession.builder.getOrCreate()
    >>> _ = session.udf.register("xor", spark.predict_udf("tests/data/xor"))
    >>> session.sql("SELECT xor(x1, x2).label AS y FROM VALUES (0.1, 0.9), (0.9, 1.1) AS t(x1, x2)").collect()
    [Row(y=1), Row(y=0)]

    Args:
        package: as in `predict`.
        errors: what becomes of a row that cannot be predicted: ``raise`` ends the job; ``null`` leaves its answers
            null. A function of columns cannot leave a row out.
        out_of_range: as in `predict`.
        reasons: as in `predict`, the name of the struct's last field.
        certified: as in `predict`.
        ship: as in `predict`, with the active session.
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
