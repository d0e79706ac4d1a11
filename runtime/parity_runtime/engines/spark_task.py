"""What a Python worker of Spark's runs: it finds the package there, and knows its task's partition and cores."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.errors import InputError
from parity_runtime.tables.chunk import listed


@dataclass(frozen=True)
class SparkTask:
    """A scorer, as it is sent to Spark's workers.

    Attributes:
        scorer: answers the batches.
        archive: the name of the package among Spark's files; empty where workers see the driver's path.
    """

    scorer: BatchScorer
    archive: str = ""

    def here(self) -> BatchScorer:
        """Return the scorer with the package's path on this worker."""
        from pyspark import SparkFiles  # noqa: PLC0415 -- of the [spark] extra

        if not self.archive:
            return self.scorer
        return replace(self.scorer, worker=replace(self.scorer.worker, path=SparkFiles.get(self.archive)))


@dataclass(frozen=True)
class PartitionTask(SparkTask):
    """Answers the partitions of a DataFrame (``mapInArrow``).

    Attributes:
        names: of the batches' columns. Spark's own are places: it cannot map columns with a dot in their name.
    """

    names: tuple[str, ...] = ()

    def answers(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the answers to the batches of this task's partition, as many at once as the task has cores."""
        context = _context()
        named = (batch.rename_columns(self.names) for batch in batches)
        return self.here().answers(named, f"partition {context.partitionId()}", threads=context.cpus())


class ColumnsTask:
    """Answers columns, a batch after the other (an Arrow UDF); it counts the rows of its partition.

    Args:
        task: whose scorer gives the answers alone.
        features: the names of the columns that the model takes, in the order of a row without names.
    """

    def __init__(self, task: SparkTask, features: Sequence[str]) -> None:
        self._task, self._features = task, list(features)
        self._attempt, self._first = -1, 1

    def answers(self, columns: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Return a ``pyarrow.StructArray`` of the answers.

        Args:
            columns: the model's, in order, or one struct with them by name.
            named: those that were given by name.
        """
        context = _context()
        if context.taskAttemptId() != self._attempt:
            self._attempt, self._first = context.taskAttemptId(), 1
        batch, where = self._batch(columns, named), f"partition {context.partitionId()}"
        (answers,) = self._task.here().answers([batch], where, first=self._first)
        self._first += len(batch)
        return answers.to_struct_array()

    def _batch(self, columns: Sequence[Any], named: Mapping[str, Any]) -> Any:
        import pyarrow  # noqa: PLC0415 -- of the [spark] extra

        if len(columns) == 1 and not named and pyarrow.types.is_struct(columns[0].type):
            fields = [field.name for field in columns[0].type]
            batch = pyarrow.RecordBatch.from_arrays(columns[0].flatten(), fields)
            return batch.select([place for place, name in enumerate(fields) if name in self._features])
        names = [*self._features[: len(columns)], *named]
        if sorted(names) != sorted(self._features) or len(columns) > len(self._features):
            raise InputError(
                f"the function takes {listed(self._features)} in this order, or by name, or a struct that has them; "
                f"it was given {len(columns)} in order{' and ' + listed(list(named)) if named else ''}"
            )
        return pyarrow.RecordBatch.from_arrays([*columns, *named.values()], names)


def _context() -> Any:
    from pyspark import TaskContext  # noqa: PLC0415 -- of the [spark] extra

    return TaskContext.get()
