"""``parity evaluate``."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from parity_runtime.commands.options import package_argument, provider_option, say_provider
from parity_runtime.commands.table_options import table_file, table_options
from parity_runtime.contract import LABEL, PROBABILITIES, VALUE, ModelContract
from parity_runtime.errors import InputError, LimitError
from parity_runtime.inputs import Arrays
from parity_runtime.jsonfile import dump_json
from parity_runtime.metrics import ClassificationMetrics, RegressionMetrics, classification_metrics, regression_metrics
from parity_runtime.predictor import Predictor
from parity_runtime.scoring.answers import answer_columns
from parity_runtime.scoring.job import chunk_size
from parity_runtime.scoring.score import NO_ANSWER, no_answers
from parity_runtime.session import Provider
from parity_runtime.tables.chunk import Chunk, shown
from parity_runtime.tables.features import table_features


@click.command()
@package_argument
@click.argument("table")
@click.option("--target", help="The column that holds the truth; by default the one that training used.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--at-least", multiple=True, metavar="METRIC=X", help="Exit with 3 if a metric is less; may be repeated.")
@click.option("--at-most", multiple=True, metavar="METRIC=X", help="Exit with 3 if a metric is more.")
@table_options
@provider_option
def evaluate(package: Path, table: str, target: str | None, as_json: bool, provider: Provider, **options: Any) -> None:
    """Answer the rows of TABLE and compare with the column TARGET.

    TABLE is CSV, JSON Lines, .npy, Parquet or Arrow; - is stdin. --at-least accuracy=0.99 and --at-most rmse=50 make
    it a gate: the metrics are printed all the same.
    """
    limits = {sign: options.pop(sign) for sign in ("at_least", "at_most")}
    known = [(sign, *_limit(text)) for sign in ("at_least", "at_most") for text in limits[sign]]
    predictor = Predictor(package, provider=provider)
    say_provider(provider, predictor.provider)
    _check_names(predictor.contract, [name for _, name, _ in known])
    chunks = table_file(predictor.contract, table, **options).chunks(chunk_size(predictor.contract, None))
    metrics = evaluate_chunks(predictor, chunks, target)
    if as_json:
        click.echo(dump_json(metrics), nl=False)
    else:
        for name, value in metrics.items():
            click.echo(f"{name:<17} {value:.6g}" if isinstance(value, float) else f"{name:<17} {value}")
    missed = [f"{name} is {metrics[name]}, not {sign.replace('_', ' ')} {bound:g}"
              for sign, name, bound in known if not _holds(sign, metrics[name], bound)]  # fmt: skip
    if missed:
        raise LimitError("; ".join(missed))


def _holds(sign: str, found: float | None, bound: float) -> bool:
    return found is not None and (found >= bound if sign == "at_least" else found <= bound)


def _limit(text: str) -> tuple[str, float]:
    name, _, bound = text.partition("=")
    try:
        limit = float(bound)
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise click.UsageError(f"{text!r} is no limit; write it as accuracy=0.99")
    return name, limit


def _check_names(contract: ModelContract, names: list[str]) -> None:
    """Refuse limits of metrics that there are not, before any row is read."""
    row = np.zeros(1, np.int64)
    classes = len(contract.classes)
    some = classification_metrics(row, row, np.eye(classes)[:1]) if classes else regression_metrics(row, row)
    known = [name for name, value in some.items() if not isinstance(value, list)]
    for name in names:
        if name not in known:
            raise click.UsageError(f"there is no metric {name!r}; there are {', '.join(known)}")


def evaluate_chunks(predictor: Predictor, chunks: Iterable[Chunk], target: str | None = None) -> dict[str, Any]:
    """Return the metrics of a predictor over a table.

    Args:
        predictor: a classifier, or a regression of one target.
        chunks: the rows, with the features and the target.
        target: the target's column; by default the contract's.

    Raises:
        InputError: a column is missing, a cell is no number, a label is no class of the model; no rows.
    """
    contract = predictor.contract
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; there is nothing to evaluate")
    if target is None and len(contract.targets) != 1:
        raise InputError("the package names no single target; say which column holds the truth with --target")
    target = target or contract.targets[0]
    if target not in contract.targets and len(contract.targets) > 1 and not contract.is_classifier:
        raise InputError(f"{target!r} is none of the model's targets, {', '.join(contract.targets)}")
    compare = _classes if contract.is_classifier else _values
    return compare(predictor, chunks, target)


def _classes(predictor: Predictor, chunks: Iterable[Chunk], target: str) -> dict[str, Any]:
    contract = predictor.contract
    metrics = ClassificationMetrics(len(contract.classes))
    for chunk in chunks:
        outputs = _answers(predictor, chunk)
        metrics.update(class_indices(contract, chunk, target), outputs[LABEL], outputs[PROBABILITIES])
    return metrics.result()


def _values(predictor: Predictor, chunks: Iterable[Chunk], target: str) -> dict[str, Any]:
    contract, metrics = predictor.contract, RegressionMetrics()
    column = contract.targets.index(target) if target in contract.targets else 0
    for chunk in chunks:
        outputs = _answers(predictor, chunk)
        metrics.update(_known_numbers(chunk, target), outputs[VALUE][:, column])
    return metrics.result()


def _answers(predictor: Predictor, chunk: Chunk) -> Arrays:
    """Return the outputs for a chunk, all of them finite.

    Raises:
        InputError: names the first row that cannot be answered.
    """
    contract = predictor.contract
    outputs = predictor.run({contract.inputs[0].name: table_features(contract, chunk)})
    chunk.refuse(dict.fromkeys(no_answers(answer_columns(contract, outputs)), NO_ANSWER))
    return outputs


def _known_numbers(table: Chunk, target: str) -> NDArray[np.float64]:
    numbers = table.numbers([target])[:, 0]
    unknown = ~(np.abs(numbers) <= np.finfo(np.float32).max)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise InputError(f"{table.place(row)}: {target} is {shown(table.cell(row, target))}, no number to compare")
    return numbers


def class_indices(contract: ModelContract, table: Chunk, target: str) -> NDArray[np.int64]:
    """Return the class index of every row, int64 ``[rows]``.

    Raises:
        InputError: names the first row whose cell is no class of the model.
    """
    index = {str(label): position for position, label in enumerate(contract.classes)}
    integers = all(isinstance(label, int) for label in contract.classes)
    cells = [_integer_text(cell.strip()) if integers else cell.strip() for cell in table.column(target)]
    for row, cell in enumerate(cells):
        if cell not in index:
            raise InputError(f"{table.place(row)}: {target} is {shown(cell)}, no class of {', '.join(index)}")
    return np.array([index[cell] for cell in cells], np.int64)


def _integer_text(cell: str) -> str:
    """Return an integer written with a decimal point (``1.0``) without it; anything else as it is."""
    whole, point, fraction = cell.partition(".")
    return whole if point and not fraction.strip("0") else cell
