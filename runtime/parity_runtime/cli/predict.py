"""``parity predict``."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parity_runtime.cli.drift_options import DriftWatch, drift_options, refuse_beside_explain_row, show_row
from parity_runtime.cli.engine_options import EngineChoice, engine_options
from parity_runtime.cli.options import (
    digest_option,
    names,
    operators_option,
    package_argument,
    provider_option,
    say_provider,
)
from parity_runtime.cli.predict_table import TableRun, typed_rows
from parity_runtime.cli.table_options import (
    TABLE_OPTIONS,
    read_options,
    refuse_row_of_many,
    refuse_stdout_of_many,
    table_file,
    table_options,
)
from parity_runtime.errors import InputError
from parity_runtime.files.paths import refuse_unwritable, resolved
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.chunk_observer import ChunkObserver
from parity_runtime.scoring.prediction_columns import check_gives_columns
from parity_runtime.scoring.score_table import ScoringJob, chunk_size
from parity_runtime.tables.find_tables import in_parts

if TYPE_CHECKING:
    from parity_runtime.tables.table_file import TableFile


@click.command()
@package_argument
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--row", "rows", multiple=True, metavar="A,B,...", help="One row of cells, written as in CSV; may be repeated."
)
@click.option(
    "--out",
    type=click.Path(),
    help="Where the predictions are written: a file, of many tables a folder; without it stdout.",
)
@click.option(
    "--certified", is_flag=True, help="Also say what is proven of each row: certified, or error_bound_<target>."
)
@click.option(
    "--columns", metavar="A,B,...", help="The columns to write, of the table's and the predictions [default: all]."
)
@click.option(
    "--errors",
    type=click.Choice(["raise", "skip", "null"]),
    default="raise",
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
@click.option(
    "--threads", type=click.IntRange(1), help="Batches worked on at once [default: one a core, and four at most]."
)
@click.option("--batch-size", type=click.IntRange(1), metavar="ROWS", help="Rows predicted at once [default: 32768].")
@click.option(
    "--prefix", metavar="TEXT", help="What the added columns' names begin with [default: predicted_ beside the target]."
)
@click.option("--spreadsheet-safe", is_flag=True, help="CSV: an apostrophe before cells that a spreadsheet would run.")
@click.option("--summary", is_flag=True, help="Print on stderr how the rows differ from those of the training.")
@drift_options
@table_options
@engine_options
@provider_option
@digest_option
@operators_option
def predict(package: Path, tables: tuple[str, ...], rows: tuple[str, ...], **options: Any) -> None:
    """Predict the rows of TABLE: CSV or JSON Lines (also .gz), .npy, Parquet or Arrow; - is stdin.

    Adds the columns label and probability_<class> (for a regression, the target's name) behind the table's own,
    which pass through as they are; in a table that has the target itself, as held-out rows have, their names begin
    with predicted_, or with what --prefix says. The predictions have the table's format, or are CSV where --out ends
    in .csv; a table of any size takes the same memory. The file named by --out is complete or absent; absent as well
    where --fail-on says no.

    TABLE may also be a folder, a quoted glob such as 'data/*.parquet', or several files, all of one format. Then --out
    is a folder: each table's predictions stand there in a file of its name, and the empty file _SUCCESS when all of
    them are there. A job that was cut short goes on where it was when the same command is given again.

    Cells that a spreadsheet would run as formulas pass through as well, unless --spreadsheet-safe is given.
    """
    if bool(tables) == bool(rows):
        raise click.UsageError("give either a TABLE or at least one --row")
    spelled = {key: options.pop(key) for key in TABLE_OPTIONS}
    wrong = [key for key, value in spelled.items() if value is not None and key != "missing_values"] if rows else []
    if wrong:
        option = wrong[0].removesuffix("_name")
        raise click.UsageError(f"--{option} is for a TABLE, not for --row")
    number = options.pop("explain_row")
    drift: dict[str, Any] = {key: options.pop(key) for key in ("fail_on", "summary")}
    if number is not None:
        refuse_beside_explain_row(
            drift | {"row": rows} | {name: options[name] for name in ("out", "columns", "prefix")}
        )
    engine = EngineChoice.taken_from(options, tables)
    many = engine is not None or in_parts(tables)
    if many:
        refuse_row_of_many(number)
        refuse_stdout_of_many(options["out"])
    if engine is not None and engine.reads(*tables, options["out"]):
        _predict_locations(engine, package, tables, options | {"table": spelled, "more": drift})
        return
    out = _output(options.pop("out"), package, None if many or not tables else tables[0])
    predictor = _predictor(package, options)
    asked = read_options(spelled)
    if number is not None and tables:
        _explain_row(predictor, table_file(predictor.contract, tables[0], asked), number)
        return
    watch = DriftWatch(predictor, package, **drift) if any(drift.values()) else None
    observe = ChunkObserver(predictor.contract, None if watch is None else watch.counts)
    job = ScoringJob(**options | {"columns": names(options["columns"])}, observe=observe)
    if many and out is not None:
        from parity_runtime.cli.predict_folder import FolderRun  # noqa: PLC0415 -- not for one table

        run = FolderRun(predictor, job, asked, watch)
        if engine is None:
            run.write(tables, out)
        else:
            run.write_with(engine, package, tables, out)
    elif tables:
        file = table_file(predictor.contract, tables[0], asked)
        TableRun(predictor, file, job, watch).write(file.chunks(chunk_size(predictor.contract, job.batch_size)), out)
    else:
        alone = replace(job, threads=1)  # the rows are one batch, and threads are imported with their logging
        TableRun(predictor, None, alone, watch).write(iter([typed_rows(predictor.contract, rows, asked)]), out)


def _predictor(package: Path, options: dict[str, Any]) -> Predictor:
    """Return the predictor that the options ask for, which are taken out of them."""
    asked = {name: options.pop(name) for name in ("provider", "digest", "certified", "allow_operators")}
    predictor = Predictor(package, **asked)
    say_provider(asked["provider"], predictor.provider)
    check_gives_columns(predictor.contract)
    return predictor


def _explain_row(predictor: Predictor, table: "TableFile", number: int) -> None:
    from parity_runtime.drift.explain_row import explain_row  # noqa: PLC0415 -- not where nobody asks for it

    show_row(explain_row(predictor, table.chunks(chunk_size(predictor.contract, None)), number))


def _predict_locations(engine: EngineChoice, package: Path, tables: tuple[str, ...], options: dict[str, Any]) -> None:
    """Predict tables that the engine reads by itself."""
    from parity_runtime.cli.predict_locations import (  # noqa: PLC0415 -- not without an engine
        predict_locations,
        refuse_beside_locations,
    )

    out, spelled, drift = (options.pop(name) for name in ("out", "table", "more"))
    unread = {name: options.pop(name) for name in ("spreadsheet_safe", "batch_size")}
    refuse_beside_locations(spelled | drift | unread | {"threads": options["threads"] not in (None, 1)}, engine)
    predictor = _predictor(package, options)
    job = ScoringJob(**options | {"columns": names(options["columns"])})
    predict_locations(engine, engine.worker(predictor, package), tables, out, (spelled["format_name"], job))


def _output(name: str | None, package: Path, table: str | None) -> Path | None:
    """Return where the predictions go, None for stdout.

    Raises:
        InputError: they would replace the model or the table, or stdout is closed.
    """
    if name is not None and name not in ("-", "/dev/stdout"):
        out = Path(name)
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
