"""What a package, and a predictor, show of a contract in a notebook."""

from collections.abc import Iterator, Sequence

from parity_runtime.contract import ModelContract
from parity_runtime.feature import Feature
from parity_runtime.html_view import facts, paragraph, table, view
from parity_runtime.package.summary import FEW, few_categories, range_in_training
from parity_runtime.printable import counted

_MOST_ROWS = 30  # of the table of features or tensors


def contract_view(title: str, contract: ModelContract, of_the_object: Sequence[tuple[str, object]]) -> str:
    """Return the HTML of what answers as a contract says.

    Args:
        title: what it is, and the model's name.
        contract: what it takes and gives.
        of_the_object: facts that stand in no contract.
    """
    return view(title, facts([*_meaning(contract), *of_the_object]), _taken(contract))


def _meaning(contract: ModelContract) -> Iterator[tuple[str, object]]:
    yield "task", contract.task
    if contract.classes:
        yield "classes", _first(contract.classes)
    if contract.task == "binary":
        yield "positive", f"{contract.positive} (from probability {contract.threshold} on)"
    if contract.targets:
        yield "targets", _first(contract.targets)
    if contract.objective is not None:
        yield "objective", contract.objective


def _first(names: Sequence[str | int]) -> str:
    more = len(names) - FEW
    return ", ".join(map(str, names[:FEW])) + (f" and {more} more" if more > 0 else "")


def _taken(contract: ModelContract) -> str:
    """Return what a model takes: its columns, or the tensors of one that reads no table."""
    if not contract.features:
        tensors = [("input", spec) for spec in contract.inputs] + [("output", spec) for spec in contract.outputs]
        return facts(tensors[:_MOST_ROWS]) + _and_more(len(tensors), "tensor")
    columns = table(
        ("feature", "type", "in training", "missing cell"), map(_column, contract.row_features[:_MOST_ROWS])
    )
    return columns + _and_more(len(contract.features), "feature")


def _and_more(count: int, what: str) -> str:
    more = count - _MOST_ROWS
    return paragraph(f"and {counted(more, what)} more") if more > 0 else ""


def _column(feature: Feature) -> tuple[str, str, str, str]:
    if feature.is_text:
        return feature.name, feature.kind, few_categories(feature), feature.missing
    return feature.name, feature.kind, range_in_training(feature), feature.missing
