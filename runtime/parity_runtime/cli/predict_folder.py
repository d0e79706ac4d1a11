"""Many tables through ``parity predict``, into a folder."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from parity_runtime.cli.drift_options import DriftWatch
from parity_runtime.cli.engine_options import EngineChoice
from parity_runtime.cli.predict_table import MOST_SHOWN, say, say_refused
from parity_runtime.cli.progress import WORTH_A_BAR, progress_bar
from parity_runtime.inference.predictor import Predictor
from parity_runtime.printable import counted
from parity_runtime.scoring.folder_job import SUCCESS
from parity_runtime.scoring.predict_folder import predict_folder
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_folder import FolderResult, FolderWatch
from parity_runtime.scoring.score_part import PartResult
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import TablePart


class FolderRun(FolderWatch):
    """Many tables on their way, and what is said of them on stderr.

    Args:
        predictor: answers them.
        job: how.
        reading: how they are written.
        drift: compares their rows with those of the training; None where nobody asks.
    """

    def __init__(self, predictor: Predictor, job: ScoringJob, reading: ReadOptions, drift: DriftWatch | None) -> None:
        self._predictor, self._job, self._reading, self._drift = predictor, job, reading, drift
        self.tally = None if drift is None else drift.counts
        self._told: set[str] = set()
        self._reasons = 0
        self._bar = _PartsBar()

    def write(self, tables: Sequence[str], out: Path) -> None:
        """Write the predictions of all tables.

        Raises:
            LimitError: the rows differ too much from those of the training; there is no _SUCCESS.
        """
        with self._bar:
            result = predict_folder(self._predictor, tables, out, self._job, self._reading, self)
        self._finish(result, out)

    def write_with(self, engine: EngineChoice, package: Path, tables: Sequence[str], out: Path) -> None:
        """Write the predictions of all tables, with an engine.

        Raises:
            LimitError: as `write`.
            ParityError: the engine, or one of its workers, cannot do it.
        """
        from parity_runtime.engines.predict_parts import predict_parts  # noqa: PLC0415 -- not without an engine

        worker, how = engine.worker(self._predictor, package), (self._job, self._reading, self)
        with self._bar:
            result = predict_parts(self._predictor, worker, tables, out, how, engine.open(self._predictor))
        self._finish(result, out)

    def _finish(self, result: FolderResult, out: Path) -> None:
        say_refused(result.refused, self._job)
        say(_told(result, out))

    def start(self, parts: Sequence[TablePart]) -> None:
        """Show how far the job is."""
        self._bar.start(parts)

    def chunk(self, part: TablePart, scored: Scored) -> None:
        """Show that rows were answered."""
        self._bar.chunk(part, scored)

    def finished(self, part: TablePart, result: PartResult, *, reused: bool) -> None:  # noqa: ARG002
        """Say what is to be said of a table, and take its counts; what holds for many is said of the first."""
        self._bar.finished(part)
        for about, note in result.notes.items():
            if about not in self._told:
                self._told.add(about)
                say(f"parity: {note}" if about != "target" else note)
        for reason in result.reasons[: MOST_SHOWN - self._reasons]:
            self._reasons += 1
            say(f"parity: {reason}")
        if self.tally is not None and result.record is not None:
            self.tally.merge_json(result.record.counts, part.name)

    def check(self) -> None:
        """Raise an error if the rows of all tables differ too much from those of the training."""
        if self._drift is not None:
            self._drift.finish()


class _PartsBar(ExitStack):
    """Shows on a terminal how many of all tables' bytes are answered."""

    def start(self, parts: Sequence[TablePart]) -> None:
        total = sum(part.size for part in parts)
        self._done, self._inside = 0, 0
        self._show = None
        if total >= WORTH_A_BAR:
            self._show = self.enter_context(progress_bar(total, "", lambda part: part.name))

    def chunk(self, part: TablePart, scored: Scored) -> None:
        self._inside = min(self._inside + scored.chunk.file_bytes, part.size)
        if self._show is not None:
            self._show(self._done + self._inside, part)

    def finished(self, part: TablePart) -> None:
        self._done, self._inside = self._done + part.size, 0
        if self._show is not None:
            self._show(self._done, part)


def _told(result: FolderResult, out: Path) -> str:
    rows, files = counted(result.rows, "row"), counted(result.parts, "file")
    if result.was_complete:
        return f"{out} is complete already ({SUCCESS}): {rows} predicted in {files}; nothing was done"
    were = "was" if result.reused == 1 else "were"
    before = f", of which {result.reused} {were} there already" if result.reused else ""
    return f"{rows} predicted in {out}: {files}{before}"
