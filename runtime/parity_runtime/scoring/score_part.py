"""One part of a table: read, answered, written and recorded by itself, in whatever process."""

import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parity_runtime.errors import FormatError, InputError
from parity_runtime.files.atomic_write import atomic_write, explained
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.answer_folder import make_folder
from parity_runtime.scoring.chunk_observer import ChunkObserver, Tally
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.part_record import FileDigest, PartRecord
from parity_runtime.scoring.prediction_columns import BESIDE_TARGET, beside_target_note
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_table import chunk_size
from parity_runtime.tables.table_parts import TablePart

_MOST_REASONS = 20  # that a part keeps; a broken file has one for each of its rows


@dataclass(frozen=True)
class PartResult:
    """What became of a part. It pickles.

    Attributes:
        number: of the part.
        record: what was scored; None of a part that is not scored yet.
        notes: what is to be said of its table, by what it is about.
        reasons: why rows have no prediction, with their places; the first twenty.
    """

    number: int
    record: PartRecord | None
    notes: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def finished_part(job: FolderJob, part: TablePart) -> PartResult:
    """Return what is recorded of a part whose answers are there, whole; no record where they are not.

    Raises:
        InputError: the part was scored, and its table is another one now; or a file cannot be read.
    """
    try:
        record = PartRecord.read(job.record_of(part))
    except FormatError:  # of a disk that lost power; _parity.json has said that the job is this one
        record = None
    if record is None or record.name != part.name:
        return PartResult(part.number, None)
    if not Path(part.path).exists():
        raise InputError(f"cannot read the table {part.path}: this machine does not see it ({platform.node()})")
    if not record.input.is_at(part.path):
        raise job.refused(f"{part.path} was changed since its predictions went into {job.out}")
    return PartResult(part.number, record if record.output.is_at(job.target(part)) else None)


def score_part(
    predictor: Predictor, job: FolderJob, part: TablePart, tally: Tally | None = None,
    watch: Callable[[Scored], None] = lambda _: None,
) -> PartResult:  # fmt: skip
    """Answer one part: its answers appear under their name when they are whole, and then its record.

    Whoever calls it, in whatever order and how often: the answers are the bytes that ``parity predict`` writes for that
    file alone.

    Args:
        predictor: of the job's package.
        job: what is done.
        part: one of the job's.
        tally: of what the rows' counts are; the record has them.
        watch: is told of each chunk after it was written.

    Raises:
        InputError: the table cannot be read, was changed meanwhile, a column is missing, or a row cannot be predicted;
            there are no answers then.
        ConformanceError: the graph answers a label that is no class of the contract.
    """
    if predictor.package_id != job.package_id:
        raise InputError(f"the predictor is of the package {predictor.package_id}, and the job of {job.package_id}")
    before, read = _state(part.path), _digest(part.path)
    progress = _PartProgress(tally, watch)
    target = job.target(part)
    with explained(target):
        make_folder(target.parent)
    with atomic_write(target) as file:
        table = replace(job.table(predictor, part), tell=progress.tell)
        chunks = table.chunks(chunk_size(predictor.contract, job.scoring.batch_size))
        scoring = replace(job.scoring, observe=ChunkObserver(predictor.contract, tally))
        progress.prefix_is_given = scoring.prefix is not None
        scoring.run(predictor, chunks, file, job.format_of(part, table), progress)
        if _state(part.path) != before:
            raise InputError(f"{part.path} was changed while it was read; start again when it no longer changes")
    counts = None if progress.counts is None else progress.counts.to_json()
    record = PartRecord(part.name, progress.rows, progress.refused, read, _digest(target), counts)
    with atomic_write(job.record_of(part), durable=False) as file:
        file.write(record.dump())
    return PartResult(part.number, record, progress.notes, progress.reasons)


class _PartProgress:
    """Gathers what is to be said of a part, chunk by chunk."""

    def __init__(self, tally: Tally | None, watch: Callable[[Scored], None]) -> None:
        self.rows, self.refused = 0, 0
        self.notes: dict[str, str] = {}
        self.reasons: list[str] = []
        self.counts = None if tally is None else tally.empty()
        self.prefix_is_given = False
        self._watch = watch

    def tell(self, text: str) -> None:
        """Take what was found out about how the file is written."""
        self.notes["reading"] = text

    def __call__(self, scored: Scored) -> None:
        """Take a chunk that was written."""
        first = scored.predictions[0].name
        if not self.prefix_is_given and first.startswith(BESIDE_TARGET):
            self.notes["target"] = beside_target_note(scored.chunk.where, first)
        if scored.observed.problem:
            self.notes["categories"] = f"{scored.chunk.where}: {scored.observed.problem}"
        if self.counts is not None:
            self.counts.merge(scored.observed.counts)
        self.rows += len(scored.chunk) - int(scored.unpredicted.sum())
        self.refused += len(scored.refused)
        room = _MOST_REASONS - len(self.reasons)
        self.reasons += [str(fault) for fault in scored.refused[:room]]
        self._watch(scored)


def _state(path: str) -> tuple[Any, ...]:
    """Return what changes when a file is written, whatever is written."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns, found.st_ino


def _digest(path: str | Path) -> FileDigest:
    try:
        return FileDigest.of(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
