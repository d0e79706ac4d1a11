"""A table in parts through a predictor: a folder of answers that can be gone on with after it was cut short."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from parity_runtime.errors import GateError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.answer_folder import AnswerFolder, refuse_among_tables
from parity_runtime.scoring.check_parts import check_parts
from parity_runtime.scoring.chunk_observer import Tally
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_part import PartResult, finished_part, score_part
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.table_file import ReadOptions
from parity_runtime.tables.table_parts import TablePart, table_parts

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


def predict_folder(
    predictor: Predictor,
    tables: str | Path | Sequence[str | Path],
    out: str | Path,
    scoring: ScoringJob | None = None,
    reading: ReadOptions | None = None,
    watch: FolderWatch | None = None,
) -> FolderResult:
    r"""Answer all tables of a folder, or of a glob, into another folder.

    Each table's answers are in a file of its own name, with the bytes that ``parity predict`` writes for it alone, in
    constant memory. Call it again after a job was cut short, by a kill even: tables whose answers are there are not
    answered again. ``_SUCCESS``, an empty file, is written when all answers are there.

    >>> from pathlib import Path
    >>> from parity_runtime import Predictor, predict_folder
    >>> Path("points").mkdir()
    >>> for number in (1, 2):
    ...     _ = Path(f"points/part-{number}.csv").write_text("x1,x2\n0,1\n1,1\n")
    >>> result = predict_folder(Predictor("tests/data/xor"), "points", "scored")
    >>> result.parts, result.rows
    (2, 4)
    >>> sorted(path.name for path in Path("scored").iterdir())
    ['_SUCCESS', '_parity', '_parity.json', 'part-1.csv', 'part-2.csv']
    >>> predict_folder(Predictor("tests/data/xor"), "points", "scored").was_complete
    True

    Args:
        predictor: of a package folder; its rows do not influence one another.
        tables: a folder (with those below it; names that begin with ``.`` or ``_`` are left out), a glob, or several
            of them and of files. All have one format: CSV or JSON Lines (also .gz), .npy, Parquet or Arrow.
        out: the folder of the answers; it is made, or holds what the same job has left.
        scoring: how each table is answered, a `parity_runtime.scoring.score_table.ScoringJob`:
            ``ScoringJob(columns=("id", "label"), errors="null", threads=4)``.
        reading: how the tables are written, where their names do not say so, a
            `parity_runtime.tables.table_file.ReadOptions`.
        watch: is told how the job goes on.

    Raises:
        InputError: there is no table, a table lacks a column (all are looked at before the first is answered), a row
            cannot be predicted (the tables before it stay answered, and ``_SUCCESS`` is not written), another process
            writes ``out``, or it holds something else: answers of another package, other options or other tables.
        MissingExtraError: Parquet and Arrow need pyarrow.
    """
    scoring, reading, watch = scoring or ScoringJob(), reading or ReadOptions(), watch or FolderWatch()
    named = [str(table) for table in ([tables] if isinstance(tables, str | Path) else tables)]
    job = FolderJob.of(predictor, out, scoring, reading, counts=watch.tally is not None)
    refuse_among_tables(Path(out), named)
    parts = table_parts(named, reading.format)
    AnswerFolder(job, parts).refuse()
    check_parts(predictor, job, parts)

    def work(part: TablePart) -> PartResult:
        return score_part(predictor, job, part, watch.tally, partial(watch.chunk, part))

    return score_folder(job, parts, work, watch)


def score_folder(
    job: FolderJob, parts: Sequence[TablePart], work: Work, watch: FolderWatch, run: RunParts = map
) -> FolderResult:
    """Answer the parts that are not answered, and say at the end that all are.

    Args:
        job: what is done; `check_parts` has looked at its parts.
        parts: all of them.
        work: answers one part, as `score_part`.
        watch: is told how the job goes on.
        run: calls ``work`` with the parts; an engine's own may do so in other processes.

    Raises:
        InputError: as `predict_folder`.
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
