"""What a model says of some rows, as the columns that are added to a table."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_runtime.contract import (
    CERTIFIED,
    EMBEDDING,
    ERROR_BOUND,
    LABEL,
    LABELS,
    PROBABILITIES,
    VALUE,
    ModelContract,
    added_columns,
)
from parity_runtime.errors import InputError
from parity_runtime.inference.input_validation import Arrays


@dataclass(frozen=True)
class PredictionColumn:
    """One added column.

    Attributes:
        name: of the column.
        values: float32, bool, or of a label the index into ``classes``; ``[rows]``.
        classes: the labels by index; empty for another column.
        bounds: whether it says how far another column may be off: infinite where nothing is proven.
    """

    name: str
    values: NDArray[Any]
    classes: tuple[str | int, ...] = ()
    bounds: bool = False

    def keep(self, rows: NDArray[np.bool_]) -> Self:
        """Return the predictions of these rows without the others."""
        return replace(self, values=self.values[rows])

    def renamed(self, prefix: str) -> Self:
        """Return the column with a prefix before its name."""
        return replace(self, name=prefix + self.name)


BESIDE_TARGET = "predicted_"
"""What the added columns' names begin with in a table that has the target's column."""

OUT_OF_RANGE = "out_of_range"
"""The added column that says whether a feature of the row lies outside what the model has seen in training."""


def beside_target_note(where: str, name: str) -> str:
    """Return what is said of a table that has the target itself: the first added column's name."""
    return f"{where} has the target's own column; the predictions are named {name}, ..."


def prefix_way_out() -> str:
    """Return what to do where a table has a column of an added one's name."""
    return f"add {argument('prefix', BESIDE_TARGET)}"


def check_gives_columns(contract: ModelContract) -> None:
    """Refuse a model whose answers are no columns of a table.

    Raises:
        InputError: says what it gives, and the way out.
    """
    if contract.task == "tensors":
        raise InputError(f"{contract.name} returns tensors without a meaning; use Predictor.run from Python")
    if contract.task in ("tagging", "language_model"):
        raise InputError(
            f"{contract.name} gives {contract.decision}, one for each position of a sequence, which are not columns of "
            "a table; use Predictor.predict from Python"
        )


def prediction_names(contract: ModelContract, *, certified: bool) -> list[str]:
    """Return the names of the columns that are added; with ``certified`` those that say what is proven as well.

    Raises:
        InputError: the model's answers are no columns.
    """
    check_gives_columns(contract)
    proof = [CERTIFIED] if contract.is_classifier else [f"{ERROR_BOUND}_{target}" for target in contract.targets]
    return added_columns(contract) + (proof if certified else [])


def prediction_columns(contract: ModelContract, outputs: Arrays) -> list[PredictionColumn]:
    """Return the added columns, in the order of `prediction_names`.

    Args:
        contract: of a model over a table.
        outputs: every output by name, each ``[rows, ...]``.
    """
    names = prediction_names(contract, certified=ERROR_BOUND in outputs)
    if contract.is_classifier:
        values = [outputs[LABEL], *outputs[PROBABILITIES].T, *([outputs[CERTIFIED]] if CERTIFIED in outputs else [])]
    elif contract.task == "multilabel":
        values = [*outputs[LABELS].T, *outputs[PROBABILITIES].T]
    elif contract.task == "embedding":
        values = [*outputs[EMBEDDING].T]
    else:
        values = [*outputs[VALUE].T, *(outputs[ERROR_BOUND].T if ERROR_BOUND in outputs else [])]
    classes = [contract.classes if name == LABEL and contract.is_classifier else () for name in names]
    bounds = [index >= len(added_columns(contract)) for index in range(len(names))]
    return [PredictionColumn(*column) for column in zip(names, values, classes, bounds, strict=True)]
