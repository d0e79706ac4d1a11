"""Many tables into a folder of answers, from Python."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.answer_folder import AnswerFolder, refuse_among_tables
from parity_runtime.scoring.check_parts import check_parts
from parity_runtime.scoring.folder_job import FolderJob
from parity_runtime.scoring.score_folder import FolderResult, FolderWatch, score_folder
from parity_runtime.scoring.score_part import PartResult, score_part
from parity_runtime.scoring.score_table import ScoringJob
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import TablePart, table_parts


def predict_folder(
    predictor: Predictor,
    tables: str | Path | Sequence[str | Path],
    out: str | Path,
    scoring: ScoringJob | None = None,
    reading: ReadOptions | None = None,
    watch: FolderWatch | None = None,
) -> FolderResult:
    r"""Predict all tables of a folder, or of a glob, and write the predictions into another folder.

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
            `parity_runtime.tables.read_options.ReadOptions`.
        watch: is told how the job goes on.

    Returns:
        How many tables and rows were answered, and how many had been before.

    Raises:
        InputError: there is no table, a table lacks a column (all are looked at before the first is answered), a row
            cannot be predicted (the tables before it stay answered, and ``_SUCCESS`` is not written), another process
            writes ``out``, or it holds something else: answers of another package, other options or other tables.
        MissingExtraError: Parquet and Arrow need pyarrow.
    """
    watch = watch or FolderWatch()
    job, parts = folder_job(predictor, tables, out, scoring, reading, counts=watch.tally is not None)

    def work(part: TablePart) -> PartResult:
        return score_part(predictor, job, part, watch.tally, partial(watch.chunk, part))

    return score_folder(job, parts, work, watch)


def folder_job(
    predictor: Predictor,
    tables: str | Path | Sequence[str | Path],
    out: str | Path,
    scoring: ScoringJob | None = None,
    reading: ReadOptions | None = None,
    *,
    counts: bool = False,
) -> tuple[FolderJob, list[TablePart]]:
    """Return what `predict_folder` does, and its parts: all of them, and the folder, have been looked at.

    Args:
        predictor: as all others in `predict_folder`.
        tables: as there.
        out: as there.
        scoring: as there.
        reading: as there.
        counts: whether the rows of each part are counted as well.

    Raises:
        InputError: as `predict_folder`.
        MissingExtraError: as `predict_folder`.
    """
    scoring, reading = scoring or ScoringJob(), reading or ReadOptions()
    named = [str(table) for table in ([tables] if isinstance(tables, str | Path) else tables)]
    job = FolderJob.of(predictor, out, scoring, reading, counts=counts)
    refuse_among_tables(Path(out), named)
    parts = table_parts(named, reading.format)
    AnswerFolder(job, parts).refuse()
    check_parts(predictor, job, parts)
    return job, parts
