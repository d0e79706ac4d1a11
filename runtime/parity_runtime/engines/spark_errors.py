"""The errors of Spark's jobs as one line: what a worker raised, without the stack traces of two languages."""

import contextlib
import re
from collections.abc import Iterator

from parity_runtime.engines.told_errors import told_error
from parity_runtime.errors import MissingExtraError, ParityError

_ABSENT = re.compile(r"^ModuleNotFoundError: No module named '((?:parity_runtime|numpy|pyarrow)[\w.]*)'", re.MULTILINE)
_ENDED = re.compile(r"Python worker exited unexpectedly|ExecutorLostFailure|^MemoryError\b", re.MULTILINE)


@contextlib.contextmanager
def parity_errors() -> Iterator[None]:
    """Return a context that replaces Spark's exception by the error of Parity that ended the job on a worker.

    Spark predicts a DataFrame's rows when an action needs them. So a row that cannot be predicted ends the action, such
    as ``write`` or ``collect``, and not the call of `predict`. Other exceptions pass unchanged.

    >>> from parity_runtime import InputError
    >>> from parity_runtime.spark import parity_errors, predict
    >>> from pyspark.sql import SparkSession
    >>> session = SparkSession.builder.getOrCreate()
    >>> points = session.sql("SELECT 0.1F AS x1, CAST(NULL AS FLOAT) AS x2").coalesce(1)
    >>> try:
    ...     with parity_errors():
    ...         predict(points, "tests/data/xor").collect()
    ... except InputError as error:
    ...     print(error.path, error.row, error.problem)
    partition 0 1 x2 is missing, ...

    Raises:
        InputError: a row cannot be predicted: ``path`` names its partition, which Spark counts from 0, and ``row`` is
            its number there, from 1. Or a worker cannot read the package, or has another version of Parity.
        DigestError: a worker found another package than the driver's.
        MissingExtraError: a worker's Python lacks Parity, or a library that Parity needs.
        ParityError: a worker's process was ended, for example because memory ran out.
    """
    try:
        yield
    except Exception as error:
        if (found := _found(error)) is None:
            raise
        raise found from error


def _found(error: Exception) -> ParityError | None:
    """Return what a worker raised, out of the text that Spark makes of it; None where that is not known."""
    if type(error).__module__.partition(".")[0] not in ("pyspark", "py4j"):
        return None
    text = str(error)
    if ours := told_error(text):
        return ours
    if absent := _ABSENT.search(text):
        return MissingExtraError(
            f"a worker's Python has no {absent[1]}: name another one with PYSPARK_PYTHON, or install there what the "
            'driver has; from a checkout of Parity: pip install ".[cpu,spark]"'
        )
    if _ENDED.search(text):
        return ParityError(
            "a worker's process ended in the middle of a task, probably for lack of memory: give executors more "
            "(spark.executor.memoryOverhead), or fewer rows at once (spark.sql.execution.arrow.maxRecordsPerBatch)"
        )
    return None
