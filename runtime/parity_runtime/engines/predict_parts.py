"""Tables in parts through an engine's workers: the folder of answers that one machine would write."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from parity_runtime.engines.engine import Engine, absolute
from parity_runtime.engines.part_work import PartWork, remove_leftovers
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.predict_folder import folder_job
from parity_runtime.scoring.score_folder import FolderResult, FolderWatch, score_folder
from parity_runtime.scoring.score_part import PartResult
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import TablePart


def predict_parts(
    predictor: Predictor,
    worker: WorkerPredictor,
    tables: Sequence[str],
    out: Path,
    jobs: tuple[ScoringJob, ReadOptions, FolderWatch],
    engine: Engine,
) -> FolderResult:
    """Answer all tables, as `parity_runtime.predict_folder` does, each on some worker.

    The folder has the bytes that one machine writes, and what one has begun the other goes on with.

    Args:
        predictor: the driver's.
        worker: the same package, for the workers.
        tables: as in `parity_runtime.predict_folder`; all workers see them, and ``out``, under the same paths.
        out: the folder of the answers.
        jobs: how each table is answered and written, and who is told how the job goes on.
        engine: runs the parts; it is opened when they and the folder have been looked at.

    Raises:
        ParityError: as `parity_runtime.predict_folder`, or as `Engine.map`.
    """
    scoring, reading, watch = jobs
    scoring = replace(scoring, threads=scoring.threads or 1)  # a worker has a core
    job, parts = folder_job(predictor, tables, out.absolute(), scoring, reading, counts=watch.tally is not None)
    work = PartWork(worker, job, watch.tally)
    try:
        with engine, ExitStack() as running:

            def run(function: Callable[[TablePart], PartResult], some: Sequence[TablePart]) -> Iterator[PartResult]:
                return running.enter_context(closing(engine.map(function, some)))

            return score_folder(job, absolute(parts), work, watch, run)
    except BaseException:
        remove_leftovers(job, parts)
        raise
