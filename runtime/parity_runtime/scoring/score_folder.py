"""A table in parts through a predictor: a folder of answers that can be gone on with after it was cut short."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from parity_runtime.errors import GateError
from parity_runtime.scoring.answer_folder import AnswerFolder
from parity_runtime.scoring.chunk_observer import Tally
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_part import PartResult, finished_part
from parity_runtime.tables.table_parts import TablePart

Work = Callable[[TablePart], PartResult]

RunParts = Callable[[Work, Sequence[TablePart]], Iterable[PartResult]]
"""Calls a function with each part, here or elsewhere, and gives what it returns, in any order: ``map``, say."""


@dataclass(frozen=True)
class FolderResult:
    """What a folder of answers holds.

    Attributes:
        parts: files.
        rows: that have a prediction.
        refused: rows that were left out, or have none.
        reused: parts that were answered before, and were not answered again.
        was_complete: whether all of them were, and nothing was written.
    """

    parts: int
    rows: int
    refused: int
    reused: int
    was_complete: bool


class FolderWatch:
    """Is told how a job goes on; this one says nothing and counts nothing.

    Attributes:
        tally: of what the rows' counts are; None for none.
    """

    tally: Tally | None = None

    def start(self, parts: Sequence[TablePart]) -> None:
        """Take all parts, before the first is read."""

    def chunk(self, part: TablePart, scored: Scored) -> None:
        """Take rows that were answered in this process."""

    def finished(self, part: TablePart, result: PartResult, *, reused: bool) -> None:
        """Take a part that is answered, now or before."""

    def check(self) -> None:
        """Raise a `GateError` if the folder must not be taken for complete; all parts are answered."""


def score_folder(
    job: FolderJob, parts: Sequence[TablePart], work: Work, watch: FolderWatch, run: RunParts = map
) -> FolderResult:
    """Answer the parts that are not answered, and say at the end that all are.

    Args:
        job: what is done; `parity_runtime.scoring.check_parts.check_parts` has looked at its parts.
        parts: all of them.
        work: answers one part, as `parity_runtime.scoring.score_part.score_part`.
        watch: is told how the job goes on.
        run: calls ``work`` with the parts; an engine's own may do so in other processes.

    Raises:
        InputError: as `parity_runtime.predict_folder`.
    """
    folder = AnswerFolder(job, parts)
    with folder.locked():
        records = _Records(parts, watch)
        watch.start(parts)
        begun = [part for part in parts if job.record_of(part).exists()]
        records.take(run(partial(finished_part, job), begun), reused=True)
        missing, reused = records.missing(), len(records.found)
        was_complete = folder.is_complete and not missing
        if not was_complete:
            folder.reopen()
            records.take(run(work, missing), reused=False)
        try:
            watch.check()
        except GateError:
            folder.reopen()
            raise
        if not was_complete:
            folder.complete(records.in_order())
    found = records.in_order()
    rows, refused = (sum(getattr(record, name) for record in found) for name in ("rows", "refused"))
    return FolderResult(len(parts), rows, refused, reused, was_complete)


class _Records:
    """The records of parts that are answered."""

    def __init__(self, parts: Sequence[TablePart], watch: FolderWatch) -> None:
        self._parts = {part.number: part for part in parts}
        self._watch = watch
        self.found: dict[int, PartRecord] = {}

    def take(self, results: Iterable[PartResult], **how: Any) -> None:
        """Take results, in whatever order."""
        for result in results:
            if result.record is not None:
                self.found[result.number] = replace(result.record, counts=None)  # of many parts they would fill memory
                self._watch.finished(self._parts[result.number], result, **how)

    def missing(self) -> list[TablePart]:
        """Return the parts that are not answered."""
        return [part for number, part in self._parts.items() if number not in self.found]

    def in_order(self) -> list[PartRecord]:
        """Return the records in the order of the parts."""
        return [self.found[number] for number in self._parts]
