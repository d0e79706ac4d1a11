"""``parity evaluate``."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from parity_runtime.cli.drift_options import DriftWatch, drift_options, refuse_beside_explain_row, show_row
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.engine_options import EngineChoice, engine_options
from parity_runtime.cli.metric_lines import metric_lines, why_none
from parity_runtime.cli.options import digest_option, operators_option, package_argument, provider_option, say_provider
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.cli.table_options import read_options, refuse_row_of_many, table_file, table_options, tell
from parity_runtime.contract import ModelContract
from parity_runtime.drift.explain_row import explain_row
from parity_runtime.errors import LimitError
from parity_runtime.evaluation.evaluate import check_targets, evaluate_chunks
from parity_runtime.evaluation.metrics import classification_metrics, regression_metrics
from parity_runtime.evaluation.result_sentences import result_sentences
from parity_runtime.files.json_file import dump_json
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider
from parity_runtime.inference.unknown_categories import UnknownCategories
from parity_runtime.scoring.score_table import chunk_size
from parity_runtime.tables.cell_values import left_out_rows
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.find_tables import in_parts
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_parts import table_parts

_EXAMPLES = """
    # Print the metrics of a table of known targets
    parity evaluate packages/homes homes.csv
    # Fail if the model is not good enough
    parity evaluate packages/homes homes.csv --at-most rmse=2000 --at-least r2=0.9
    # Fail if the rows are unlike the training rows
    parity evaluate packages/homes homes.csv --fail-on psi=0.25
    # Print JSON; the true values are in another column
    parity evaluate packages/homes homes.csv --target sold_for --json
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@click.option(
    "--target", metavar="COLUMN", help="The column with the true values [default: the target of the training]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--at-least", multiple=True, metavar="METRIC=X", help="Exit with 3 if this metric is less than X; repeatable."
)
@click.option(
    "--at-most", multiple=True, metavar="METRIC=X", help="Exit with 3 if this metric is more than X; repeatable."
)
@drift_options
@table_options
@engine_options
@provider_option
@digest_option
@operators_option
def evaluate(
    package: Path, tables: tuple[str, ...], target: str | None, as_json: bool, provider: Provider, **options: Any
) -> None:
    """Predict the rows of TABLE, compare them with the true values, and print metrics.

    TABLE is CSV or JSON Lines (.gz as well), .npy, Parquet or Arrow; - is stdin. A folder, a quoted glob or several
    files of one format are read as one table. A row without a true value is left out, and counted.

    If the package has a profile.json, which records the training rows, the command prints two more things. Beside each
    metric stands its baseline: that of always predicting the most frequent class or the mean. After the metrics comes
    how the rows differ from the training rows.

    --at-least, --at-most and --fail-on make the command a test: it prints the metrics, and exits with 3 if one fails.
    """
    limits = {sign: options.pop(sign) for sign in ("at_least", "at_most")}
    fail_on, number = options.pop("fail_on"), options.pop("explain_row")
    if number is not None:
        refuse_beside_explain_row({**limits, "fail_on": fail_on})
    known = [(sign, *_limit(text)) for sign in ("at_least", "at_most") for text in limits[sign]]
    engine = EngineChoice.taken_from(options, tables)
    if engine is not None or in_parts(tables):
        refuse_row_of_many(number)
    if engine is not None and engine.reads(*tables):
        raise click.UsageError("parity evaluate reads paths, not URLs; mount the storage under one path on all workers")
    asked = {name: options.pop(name) for name in ("digest", "allow_operators")}
    predictor = Predictor(package, provider=provider, **asked)
    say_provider(provider, predictor.provider)
    _check_names(predictor.contract, [name for _, name, _ in known])
    reading = read_options(options)
    if number is not None:
        chunks = _chunks(predictor, tables, reading, target)
        columns = check_targets(predictor.contract, target)
        shown = columns[0] if len(columns) == 1 else None
        show_row(explain_row(predictor, chunks, number, shown), as_json=as_json)
        return
    drift = DriftWatch(predictor, package, fail_on)
    if engine is None:
        metrics = _metrics_here(predictor, tables, reading, target, drift)
    else:
        metrics = _metrics_with(engine, predictor, package, tables, (reading, target, drift))
    if as_json:
        click.echo(dump_json(metrics | {"drift": drift.to_json()}), nl=False)
    else:
        _show(predictor.contract, metrics, target)
        drift.show(err=False)
    missed = [
        f"{name} is {_found(predictor.contract, metrics, name)}, not {sign.replace('_', ' ')} {bound:g}"
        for sign, name, bound in known
        if not _holds(sign, metrics[name], bound, metrics.get(f"{name}_error") or 0.0)
    ]
    missed += drift.beyond()
    if missed:
        raise LimitError("; ".join(missed))


def _metrics_here(
    predictor: Predictor, tables: tuple[str, ...], reading: ReadOptions, target: str | None, drift: DriftWatch
) -> dict[str, Any]:
    unknown = _UnknownWatch(predictor.contract, ", ".join(tables))

    def observe(inputs: Arrays, outputs: Arrays, true: NDArray[Any]) -> None:
        unknown.first(inputs)
        drift.counts.update_evaluated(inputs, outputs, true)

    chunks = _chunks(predictor, tables, reading, target)
    return evaluate_chunks(predictor, chunks, target, observe, drift.counts.known_of_targets())


def _metrics_with(
    engine: EngineChoice, predictor: Predictor, package: Path, tables: tuple[str, ...],
    how: tuple[ReadOptions, str | None, DriftWatch],
) -> dict[str, Any]:  # fmt: skip
    from parity_runtime.engines.evaluation_work import EvaluationWork, evaluate_with  # noqa: PLC0415 -- with an engine

    reading, target, drift = how
    work = EvaluationWork(engine.worker(predictor, package), reading, target, drift.counts)
    found, notes = evaluate_with(engine.open(predictor), predictor, tables, work)
    for note in notes:
        tell(note)
    return found.result()


def _chunks(predictor: Predictor, tables: tuple[str, ...], reading: ReadOptions, target: str | None) -> Iterator[Chunk]:
    """Return the rows of one table, or of many."""
    if not in_parts(tables):
        return table_file(predictor.contract, tables[0], reading).chunks(chunk_size(predictor.contract, None))
    from parity_runtime.evaluation.evaluate_parts import chunks_of_parts  # noqa: PLC0415 -- not for one table

    files = [table_file(predictor.contract, part.path, reading) for part in table_parts(tables, reading.format)]
    return chunks_of_parts(predictor, files, target)


class _UnknownWatch:
    """Says on stderr where most cells of a column of a table's first chunk are unknown."""

    def __init__(self, contract: ModelContract, table: str) -> None:
        self._unknown, self._table, self._looked = UnknownCategories(contract), table, False

    def first(self, inputs: Arrays) -> None:
        problem = None if self._looked else self._unknown.problem(inputs)
        self._looked = True
        if problem:
            echo_line(f"parity: {self._table}: {problem}", err=True)


def _show(contract: ModelContract, metrics: dict[str, Any], target: str | None) -> None:
    left_out = metrics["without_target"]
    if left_out:
        targets = " or ".join(check_targets(contract, target))
        echo_line(f"parity: {left_out_rows(left_out, targets)}", err=True)
    for line in [*result_sentences(contract, metrics), "", *metric_lines(contract, metrics)]:
        echo_line(line)


def _found(contract: ModelContract, metrics: dict[str, Any], name: str) -> str:
    error = metrics.get(f"{name}_error")
    return str(why_none(contract, metrics, name) if metrics[name] is None else metrics[name]) + (
        f" (to {error:.1g})" if error else ""
    )


def _holds(sign: str, found: float | None, bound: float, error: float) -> bool:
    """Whether a limit holds, wherever within its error a metric lies."""
    return found is not None and (found - error >= bound if sign == "at_least" else found + error <= bound)


def _limit(text: str) -> tuple[str, float]:
    name, _, bound = text.partition("=")
    try:
        limit = float(bound)
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise click.UsageError(f"{text!r} is not a limit; write it as accuracy=0.99")
    return name, limit


def _check_names(contract: ModelContract, names: list[str]) -> None:
    """Refuse limits of metrics that there are not, before any row is read."""
    row = np.zeros(1, np.int64)
    classes = len(contract.classes)
    some = (
        classification_metrics(row, row, np.eye(classes)[:1])
        if classes
        else regression_metrics(row, row, contract.objective)
    )
    known = [name for name, value in some.items() if not isinstance(value, list)]
    for name in names:
        if name not in known:
            raise click.UsageError(f"there is no metric {name!r}; there are {', '.join(known)}")
