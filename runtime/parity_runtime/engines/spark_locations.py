"""Tables that Spark reads, and a folder that it writes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from parity_runtime.arguments import argument, options_are_named
from parity_runtime.engines.locations import LocationsJob
from parity_runtime.engines.spark_answers import answered
from parity_runtime.engines.spark_errors import parity_errors
from parity_runtime.engines.spark_session import java_reason, spark_session
from parity_runtime.engines.spark_task import PartitionTask
from parity_runtime.errors import InputError, ParityError
from parity_runtime.tables.chunk import listed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_EXISTS = re.compile(r"PATH_ALREADY_EXISTS|FileAlreadyExistsException")


class _CommandTask(PartitionTask):
    """A task of the command line's: its messages name options."""

    def answers(self, batches: Iterable[Any]) -> Iterator[Any]:
        with options_are_named():
            yield from super().answers(batches)


def predict_with_spark(job: LocationsJob, address: str | None) -> None:
    """Answer tables that Spark reads into a folder that it writes, with its ``_SUCCESS`` at the end.

    Raises:
        InputError: Spark cannot read the tables, or write the folder; or as `parity_runtime.spark.predict`.
        ParityError: as `parity_errors`.
    """
    with ExitStack() as stack:
        session = stack.enter_context(spark_session(address))
        frame = _explained(lambda: _read(session, job), f"Spark cannot read {listed(job.tables)}")
        scored = answered(frame, _CommandTask(job.scorer(frame.columns)))
        with job.no_empty_folder():
            _explained(lambda: _write(scored, job), f"Spark cannot write {job.out}")


def _read(session: "SparkSession", job: LocationsJob) -> "DataFrame":
    tables = list(job.tables)
    if job.format == "csv":
        session.conf.set("spark.sql.csv.parser.columnPruning.enabled", "false")  # else no row has a cell too few
        return session.read.csv(tables, header=True, escape='"', enforceSchema=False, multiLine=True, mode="FAILFAST")
    if job.format == "parquet":
        return session.read.parquet(*tables)
    return session.read.json(tables, mode="FAILFAST")


def _write(scored: "DataFrame", job: LocationsJob) -> None:
    if job.format == "csv":
        scored.write.csv(job.out, header=True, escape='"')
    else:
        scored.write.format("json" if job.format == "jsonl" else job.format).save(job.out)


def _explained(call: Any, what: str) -> Any:
    try:
        with parity_errors():
            return call()
    except ParityError:
        raise
    except Exception as error:
        if _EXISTS.search(str(error)):
            raise InputError(
                f"{what}: it is there already; choose another folder with {argument('out')}, or remove it"
            ) from error
        raise InputError(f"{what}: {java_reason(str(error)) or str(error)}") from error
