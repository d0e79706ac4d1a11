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

    The predictions of each table are in a file of the same name, with the same bytes that ``parity predict`` writes for
    that table alone. Memory is constant. If the job was interrupted, even by a kill, call the function again: it skips
    the tables that already have predictions. At the end it writes an empty file, ``_SUCCESS``.

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
        predictor: the predictor of a package folder. The rows of its model must not influence one another.
        tables: a folder (with its subfolders; names that begin with ``.`` or ``_`` are left out), a glob, a file, or a
            list of these. All tables have one format: CSV or JSON Lines (also .gz), .npy, Parquet or Arrow.
        out: the folder for the predictions. It is made if it does not exist. If it exists, it must be empty or hold
            what the same job has left.
        scoring: how to predict each table: a `parity_runtime.scoring.score_table.ScoringJob`, such as
            ``ScoringJob(columns=("id", "label"), errors="null", threads=4)``.
        reading: for tables whose names do not say how they are written: a
            `parity_runtime.tables.read_options.ReadOptions`.
        watch: functions that are called as the job goes on.

    Returns:
        How many tables and rows were predicted, and how many had been predicted before.

    Raises:
        InputError: there is no table; a table lacks a column (all tables are checked before the first is predicted); a
            row cannot be predicted (the predictions of the tables before it are kept, and ``_SUCCESS`` is not written);
            another process writes ``out``; or ``out`` holds something else: predictions of another package, with other
            options or of other tables.
        MissingExtraError: the tables are Parquet or Arrow, and pyarrow is not installed.
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
