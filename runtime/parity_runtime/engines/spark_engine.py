"""Parts on Spark's executors."""

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from parity_runtime.engines.engine import MOST_AT_ONCE, Engine, WorkerCall, unwrapped
from parity_runtime.engines.spark_errors import parity_errors
from parity_runtime.engines.spark_session import check_spark, spark_session
from parity_runtime.tables.table_parts import TablePart

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

Result = TypeVar("Result")


class SparkEngine(Engine):
    """A session of Spark's while the block of a ``with`` runs.

    Each part is a job of one task, so that what it returns is here as soon as it is done, and a part whose task fails
    four times ends the others.

    Args:
        address: as in `spark_session`.

    Attributes:
        session: within the block.

    Raises:
        MissingExtraError: Spark is not installed.
    """

    session: "SparkSession"

    def __init__(self, address: str | None) -> None:
        super().__init__()
        check_spark()
        self._address = address

    def start(self, stack: ExitStack) -> None:
        """Start Spark, or take the session that is active."""
        self.session = stack.enter_context(spark_session(self._address))

    def map(self, function: Callable[[TablePart], Result], parts: Sequence[TablePart]) -> Iterator[Result]:
        """Call a function with each part, as `Engine.map`."""
        if not parts:
            return
        context, group, call = self.session.sparkContext, f"parity-{uuid.uuid4().hex}", WorkerCall(function)
        at_once = min(len(parts), max(MOST_AT_ONCE, 2 * context.defaultParallelism))
        pool = ThreadPoolExecutor(at_once, initializer=lambda: context.setJobGroup(group, "parity", True))
        try:
            for done in as_completed([pool.submit(_run, context, call, part) for part in parts]):
                with parity_errors():
                    result = done.result()
                yield unwrapped(result)
        finally:
            with contextlib.suppress(Exception):  # the session may have gone
                context.cancelJobGroup(group)
            pool.shutdown(wait=False, cancel_futures=True)


def _run(context: "SparkContext", call: WorkerCall, part: TablePart) -> Any:
    return context.parallelize([part], 1).map(call).collect()[0]
