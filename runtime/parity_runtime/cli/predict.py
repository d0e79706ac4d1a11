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
from parity_runtime.cli.sectioned_help import SectionedCommand, section
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


_EXAMPLES = """
    # Predict a table, and write the predictions beside its columns
    parity predict packages/homes homes.csv --out predicted.csv
    # Predict one row
    parity predict packages/homes --row 75,York,false,1960-05-01
    # Write two columns only, and mark rows outside of the training range
    parity predict packages/homes homes.csv --columns id,price --out-of-range mark --out predicted.csv
    # Predict a folder of Parquet files, and leave out rows that cannot be predicted
    parity predict packages/homes 'homes/part*.parquet' --errors skip --out predicted
    # Read a table from stdin; fail if more than 1 % of the cities are unknown
    parity predict packages/homes - --fail-on unknown:city=1% < homes.csv
"""
_output_option = section("What is written")
_where = section("Where it runs")


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--row", "rows", multiple=True, metavar="A,B,...", help="Predict this row, written as in CSV; repeatable."
)
@click.option(
    "--certified",
    is_flag=True,
    help="Also write what is proven of each row: certified (true or false), or error_bound_<target> of a regression.",
)
@click.option(
    "--errors",
    type=click.Choice(["raise", "skip", "null"]),
    default="raise",
    show_default=True,
    help="What to do if a row cannot be predicted: write nothing, leave out the row, or leave its predictions empty.",
)
@click.option(
    "--out-of-range",
    type=click.Choice(["ignore", "mark", "refuse"]),
    default="ignore",
    show_default=True,
    help="What to do if a feature is outside the range of the training rows: predict the row, predict it and write "
    "true in the column out_of_range, or treat it as a row that cannot be predicted.",
)
@_output_option(
    "--out",
    type=click.Path(),
    help="Where to write the predictions: a file, or a folder if there are many tables [default: stdout].",
)
@_output_option(
    "--columns", metavar="A,B,...", help="The columns to write, of the table and of the predictions [default: all]."
)
@_output_option(
    "--prefix",
    metavar="TEXT",
    help="Begin the names of the added columns with this [default: none, or as in predicted_label if the table has "
    "the target].",
)
@_output_option(
    "--spreadsheet-safe",
    is_flag=True,
    help="CSV: write an apostrophe before cells that a spreadsheet would run as a formula.",
)
@drift_options
@section("Differences from the training rows")(
    "--summary", is_flag=True, help="Print on stderr how the rows differ from the training rows."
)
@table_options
@_where(
    "--threads",
    type=click.IntRange(1),
    help="How many batches to predict at the same time [default: one for each core, at most four].",
)
@_where("--batch-size", type=click.IntRange(1), metavar="ROWS", help="Rows in one batch [default: 32768].")
@engine_options
@provider_option
@digest_option
@operators_option
def predict(package: Path, tables: tuple[str, ...], rows: tuple[str, ...], **options: Any) -> None:
    """Predict the rows of TABLE with the model in PACKAGE.

    TABLE is CSV or JSON Lines (.gz as well), .npy, Parquet or Arrow; - is stdin. Its size does not matter for the
    memory.

    The output has the columns of TABLE unchanged, and after them the predictions: label and probability_<class>, or a
    number under the name of the target. If TABLE has the target itself, the names are predicted_label and so on. The
    output has the format of TABLE, or is CSV if --out ends in .csv. The file --out appears when it is complete, and not
    at all if --fail-on fails.

    TABLE may also be a folder, a quoted glob such as 'data/part*.parquet', or several files of one format. Then --out
    is a folder with one file of predictions for each table, and with an empty file _SUCCESS at the end. If the job is
    interrupted, the same command continues it.

    Cells that a spreadsheet would run as formulas stay as they are, unless you give --spreadsheet-safe.
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
            raise InputError(f"{out} is the table itself, which would be overwritten; choose another")
        if out.is_file() or not out.exists():  # a pipe is written to as it is
            refuse_unwritable(target)
        return out
    if sys.stdout is None:
        raise InputError("stdout is closed; write the predictions to a file with --out")
    return None
