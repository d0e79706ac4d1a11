"""``parity predict``."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from parity_runtime.cli.drift_options import DriftWatch, drift_options, refuse_beside_explain_row, show_row
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, names, package_argument, provider_option, say_provider
from parity_runtime.cli.progress import table_progress
from parity_runtime.cli.table_options import TABLE_OPTIONS, read_options, table_file, table_options
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.printable import counted
from parity_runtime.scoring.prediction_columns import BESIDE_TARGET, check_gives_columns
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.score_table import ScoringJob, chunk_size
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.feature_columns import check_takes_rows
from parity_runtime.tables.table_file import TEXT, ReadOptions, TableFile, table_format
from parity_runtime.tables.typed_rows import TypedRows

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_SHOWN = 20  # reasons; a broken file has one for each of its rows


@click.command()
@package_argument
@click.argument("table", required=False)
@click.option(
    "--row", "rows", multiple=True, metavar="A,B,...", help="One row of cells, written as in CSV; may be repeated."
)
@click.option("--out", type=click.Path(path_type=Path), help="Where the predictions are written; stdout without it.")
@click.option(
    "--certified", is_flag=True, help="Also say what is proven of each row: certified, or error_bound_<target>."
)
@click.option(
    "--columns", metavar="A,B,...", help="The columns to write, of the table's and the predictions [default: all]."
)
@click.option(
    "--errors",
    type=click.Choice(["stop", "skip", "null"]),
    default="stop",
    show_default=True,
    help="At a row that cannot be predicted: write nothing, leave it out, or leave its predictions empty.",
)
@click.option(
    "--out-of-range",
    type=click.Choice(["ignore", "mark", "refuse"]),
    default="ignore",
    show_default=True,
    help="At a row with a feature outside what the model has seen in training: predict it as any other, say so in a "
    "column out_of_range (true or false), or treat it as a row that cannot be predicted.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Batches worked on at once.")
@click.option("--batch-size", type=click.IntRange(1), metavar="ROWS", help="Rows predicted at once [default: 32768].")
@click.option(
    "--prefix", metavar="TEXT", help="What the added columns' names begin with [default: predicted_ beside the target]."
)
@click.option("--spreadsheet-safe", is_flag=True, help="CSV: an apostrophe before cells that a spreadsheet would run.")
@click.option("--summary", is_flag=True, help="Print on stderr how the rows differ from those of the training.")
@drift_options
@table_options
@provider_option
@digest_option
def predict(package: Path, table: str | None, rows: tuple[str, ...], provider: Provider, **options: Any) -> None:
    """Predict the rows of TABLE: CSV or JSON Lines (also .gz), .npy, Parquet or Arrow; - is stdin.

    Adds the columns label and probability_<class> (for a regression, the target's name) behind the table's own,
    which pass through as they are; in a table that has the target itself, as held-out rows have, their names begin
    with predicted_, or with what --prefix says. The predictions have the table's format, or are CSV where --out ends
    in .csv; a table of any size takes the same memory. The file named by --out is complete or absent; absent as well
    where --fail-on says no.

    Cells that a spreadsheet would run as formulas pass through as well, unless --spreadsheet-safe is given.
    """
    if (table is None) == (not rows):
        raise click.UsageError("give either a TABLE or at least one --row")
    spelled = {key: options.pop(key) for key in TABLE_OPTIONS}
    wrong = [key for key, value in spelled.items() if value is not None and key != "missing_values"] if rows else []
    if wrong:
        option = wrong[0].removesuffix("_name")
        raise click.UsageError(f"--{option} is for a TABLE, not for --row")
    drift: dict[str, Any] = {key: options.pop(key) for key in ("fail_on", "summary")}
    number = options.pop("explain_row")
    if number is not None:
        refuse_beside_explain_row(
            drift | {"row": rows} | {name: options[name] for name in ("out", "columns", "prefix")}
        )
    out = _output(options.pop("out"), package, table)
    predictor = Predictor(package, provider=provider, digest=options.pop("digest"), certified=options.pop("certified"))
    say_provider(provider, predictor.provider)
    check_gives_columns(predictor.contract)
    asked = read_options(spelled)
    file = None if table is None else table_file(predictor.contract, table, asked)
    if file is not None and number is not None:
        _explain_row(predictor, file, number)
        return
    watch = DriftWatch(predictor, package, **drift) if any(drift.values()) else None
    observe = _Observe(predictor.contract, watch)
    job = ScoringJob(**options | {"columns": names(options["columns"])}, observe=observe)
    size = chunk_size(predictor.contract, job.batch_size)
    chunks = iter([_typed_rows(predictor.contract, rows, asked)]) if file is None else file.chunks(size)
    _Run(predictor, file, job, watch).write(chunks, out)


def _explain_row(predictor: Predictor, table: TableFile, number: int) -> None:
    from parity_runtime.drift.explain_row import explain_row  # noqa: PLC0415 -- not where nobody asks for it

    show_row(explain_row(predictor, table.chunks(chunk_size(predictor.contract, None)), number))


def _output(out: Path | None, package: Path, table: str | None) -> Path | None:
    """Return where the predictions go, None for stdout.

    Raises:
        InputError: they would replace the model or the table, or stdout is closed.
    """
    if out is not None and str(out) not in ("-", "/dev/stdout"):
        # half of this command's start where it is not needed
        from parity_runtime.files.paths import refuse_unwritable, resolved  # noqa: PLC0415

        target = resolved(out)
        if resolved(package) in (target, *target.parents):
            raise InputError(f"{out} lies inside the package {package}, whose files must not change; choose another")
        if table is not None and target.is_file() and target == resolved(Path(table)):
            raise InputError(f"{out} is the table itself, of which rows or columns may be lost; choose another")
        if out.is_file() or not out.exists():  # a pipe is written to as it is
            refuse_unwritable(target)
        return out
    if sys.stdout is None:
        raise InputError("stdout is closed; write the predictions to a file with --out")
    return None


class _Observed(NamedTuple):
    """What is made of a chunk: what is to be said of its categories, and its counts where somebody wants them."""

    problem: str | None
    counts: Any


class _Observe:
    """Looks at the categories of a table's first chunk, and counts the rows of all where that is wanted."""

    def __init__(self, contract: ModelContract, watch: DriftWatch | None) -> None:
        self._unknown, self._watch = UnknownCategories(contract), watch

    def __call__(self, chunk: Chunk, inputs: Arrays, unpredicted: NDArray[np.bool_], outputs: Arrays) -> _Observed:
        problem = self._unknown.problem(inputs) if chunk.first_row == 1 else None
        counts = None if self._watch is None else self._watch.count(chunk, inputs, unpredicted, outputs)
        return _Observed(problem, counts)


class _Run:
    """A table, or rows that were typed, on their way, and what is said of them on stderr."""

    def __init__(
        self, predictor: Predictor, table: TableFile | None, job: ScoringJob, watch: DriftWatch | None
    ) -> None:
        self._predictor, self._table, self._job, self._watch = predictor, table, job, watch
        self._format = "csv" if table is None else table.format
        self._rows = 0
        self._refused = 0

    def write(self, chunks: Iterator[Chunk], out: Path | None) -> None:
        """Write the predictions to a file, or to stdout.

        Raises:
            LimitError: the rows differ too much from those of the training; there is no file.
        """
        if out is None:
            self._to_stdout(chunks)
            self._check_drift()
            return
        # half of this command's start where it is not needed
        from parity_runtime.files.atomic_write import atomic_write  # noqa: PLC0415

        if out.suffix.lower() in _COMPRESSED:
            raise InputError(f"{out}: predictions are not compressed; pipe them through a program that does")
        found = table_format(str(out), self._format)
        with atomic_write(out) as file:
            self._answer(chunks, file, found, quiet=False)
            self._check_drift()
        _say(f"{counted(self._rows, 'row')} predicted in {out}")

    def _check_drift(self) -> None:
        if self._watch is not None:
            self._watch.finish()

    def _to_stdout(self, chunks: Iterator[Chunk]) -> None:
        try:
            found = self._format if self._format in TEXT else "csv"
            self._answer(chunks, sys.stdout.buffer, found, quiet=sys.stdout.isatty())
            sys.stdout.buffer.flush()
        except OSError as error:
            if isinstance(error, BrokenPipeError) or error.filename is not None:
                raise
            raise InputError(f"cannot write to stdout: {error.strerror}") from error

    def _answer(self, chunks: Iterator[Chunk], file: BinaryIO, format_name: str, *, quiet: bool) -> None:
        with table_progress(self._table, quiet=quiet) as show:

            def watch(scored: Scored) -> None:
                self._tell(scored)
                if scored.observed.problem:
                    _say(f"parity: {scored.chunk.where}: {scored.observed.problem}")
                if self._watch is not None:
                    self._watch.merge(scored.observed.counts)
                show(scored)

            self._job.run(self._predictor, chunks, file, format_name, watch)
        if self._refused:
            done = "left out" if self._job.errors == "skip" else "left without a prediction"
            _say(f"parity: {counted(self._refused, 'row')} {'was' if self._refused == 1 else 'were'} {done}")

    def _tell(self, scored: Scored) -> None:
        first = scored.predictions[0].name
        if not self._rows and self._job.prefix is None and first.startswith(BESIDE_TARGET):
            _say(f"{scored.chunk.where} has the target's own column; the predictions are named {first}, ...")
        self._rows += len(scored.chunk) - int(scored.unpredicted.sum())
        for place, reason in scored.refused.items():
            self._refused += 1
            if self._refused <= _SHOWN:
                _say(f"parity: {place}: {reason}")


def _say(text: str) -> None:
    """Say something on stderr; nobody may be listening, which is no reason to stop the work."""
    with contextlib.suppress(OSError):
        echo_line(text, err=True)


def _typed_rows(contract: ModelContract, rows: tuple[str, ...], options: ReadOptions) -> Chunk:
    check_takes_rows(contract)
    columns = [feature.name for feature in contract.row_features]
    cells = [_cells_of(row) for row in rows]
    for row, found in zip(rows, cells, strict=True):
        if len(found) != len(columns):
            raise InputError(f"--row {row} has {counted(len(found), 'cell')}; it takes {', '.join(columns)}")
    return TypedRows("--row", columns, cells, options.values(contract.missing_values))


def _cells_of(row: str) -> list[str]:
    """Return the cells of one row of CSV; a space behind a comma is no part of one."""
    import csv  # noqa: PLC0415 -- not for a table

    try:
        return next(csv.reader([row], skipinitialspace=True, strict=True)) or [""]
    except csv.Error as error:
        raise InputError(f'--row {row} is no row of CSV ({error}); quote a cell as "a, b"') from error
