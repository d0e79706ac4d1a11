"""One part of a folder of answers, on a worker of an engine."""

import contextlib
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.errors import InputError
from parity_runtime.files.atomic_write import beside
from parity_runtime.files.locks import held
from parity_runtime.files.paths import resolved
from parity_runtime.scoring.chunk_observer import Tally
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.score_part import PartResult, score_part
from parity_runtime.tables.table_parts import TablePart

_PATIENCE = 60.0  # seconds for a process that an engine has given up, until it ends
_GRACE = 2.0  # seconds for all that were told to end


@dataclass(frozen=True)
class PartWork:
    """Answers parts on a worker. It pickles without the model.

    Attributes:
        worker: whose predictor answers.
        job: what is done; its paths, and those of the parts, mean the same on every worker.
        tally: of what the rows' counts are; None for none.
    """

    worker: WorkerPredictor
    job: FolderJob
    tally: Tally | None = None

    def __call__(self, part: TablePart) -> PartResult:
        """Answer one part, as `score_part` does.

        Raises:
            InputError: as `score_part`; or this worker does not see the table or the folder of answers, or has another
                version of Parity, or cannot read the package.
            DigestError: the package is another one than the driver's.
        """
        predictor = self.worker.open()
        check_seen(part.path, self.job.out)
        _wait_for_others(self.job.target(part))
        return score_part(predictor, self.job, part, self.tally)


def check_seen(*paths: str) -> None:
    """Refuse paths that the driver has found, and this worker does not see.

    Raises:
        InputError: names the worker and the first of them.
    """
    for path in paths:
        if not Path(path).exists():
            raise InputError(
                f"the worker {platform.node()} does not see {path}; put tables, predictions and package where "
                "all workers see them under one path: on a shared file system, or on the only machine"
            )


def remove_leftovers(job: FolderJob, parts: Sequence[TablePart]) -> None:
    """Remove what workers have left half-written that were ended; not what one still writes."""
    until = time.monotonic() + _GRACE
    for part in parts:
        for path in (job.target(part), job.record_of(part)):
            _remove(_partial(path), until)


def _remove(partial: Path, until: float) -> None:
    if partial.exists():
        seconds = max(until - time.monotonic(), 0.0)
        with contextlib.suppress(OSError, InputError), held(partial, "", seconds=seconds, needed=True):
            partial.unlink()


def _wait_for_others(target: Path) -> None:
    """Wait until nobody writes a part's answers: where a worker was lost, its process may live a moment longer."""
    with contextlib.suppress(OSError), held(_partial(target), f"writing {target}", seconds=_PATIENCE):
        pass


def _partial(target: Path) -> Path:
    return beside(resolved(target), ".", ".partial")
