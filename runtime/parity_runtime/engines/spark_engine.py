"""Parts on Spark's executors."""

import contextlib
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from parity_runtime.engines.engine import MOST_AT_ONCE, Engine, WorkerCall, unwrapped
from parity_runtime.engines.spark_errors import parity_errors
from parity_runtime.engines.spark_session import check_spark, java_reason, spark_session
from parity_runtime.errors import ParityError, first_line
from parity_runtime.tables.table_parts import TablePart

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

Result = TypeVar("Result")

_MOST_THREADS = 512  # of the driver's, one for each part that is under way


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

    def map(self, function: Callable[[TablePart], Result], parts: Sequence[TablePart]) -> Generator[Result]:
        """Call a function with each part, as `Engine.map`."""
        if not parts:
            return
        context, group, call = self.session.sparkContext, f"parity-{uuid.uuid4().hex}", WorkerCall(function)
        at_once = min(len(parts), max(MOST_AT_ONCE, 2 * context.defaultParallelism), _MOST_THREADS)
        pool = ThreadPoolExecutor(at_once, initializer=lambda: context.setJobGroup(group, "parity", True))
        try:
            for done in _completed(lambda part: pool.submit(_run, context, call, part), iter(parts), at_once):
                with _told():
                    result = done.result()
                yield unwrapped(result)
        finally:
            with contextlib.suppress(Exception):  # the session may have gone
                context.cancelJobGroup(group)
            pool.shutdown(wait=False, cancel_futures=True)


def _completed(
    submit: Callable[[TablePart], Future[Any]], left: Iterator[TablePart], at_once: int
) -> Iterator[Future[Any]]:
    """Yield what is done, and submit as many more: what came back is never more than is under way."""
    running = {submit(part) for part in islice(left, at_once)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future
            running |= {submit(part) for part in islice(left, 1)}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raise one line of Parity's in place of whatever ended a job."""
    try:
        with parity_errors():
            yield
    except ParityError:
        raise
    except Exception as error:
        raise ParityError(f"Spark ended the job: {java_reason(str(error)) or first_line(error)}") from error


def _run(context: "SparkContext", call: WorkerCall, part: TablePart) -> Any:
    return context.parallelize([part], 1).map(call).collect()[0]
