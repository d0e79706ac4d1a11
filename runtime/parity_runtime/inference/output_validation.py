"""What outputs must be before anyone reads a class out of them: a label of the contract, beside finite numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime.contract import EMBEDDING, LOGITS, PROBABILITIES, VALUE, ModelContract, label_count
from parity_runtime.errors import ConformanceError, InputError
from parity_runtime.inference.input_validation import Arrays, all_finite

NO_FINITE_OUTPUT = "the model computes no finite output for these numbers"
"""Said of a row whose probabilities or values are NaN or infinite: what the model computes went beyond float32."""

_NAMED = {"tagging": "tag", "language_model": "token"}
_FEW = 16  # labels; up to here Python's own numbers are looked at sooner than an array is


def check_labels(contract: ModelContract, labels: NDArray[Any]) -> None:
    """Refuse labels that are no index into the contract's classes; numpy would take -1 for the last class.

    Args:
        contract: of a model with a decision.
        labels: int64 ``[batch, ...]``, C-contiguous; or bool, of which every one is a label.

    Raises:
        ConformanceError: names the first such label.
    """
    if labels.dtype == np.bool_:
        return
    count = label_count(contract)
    if labels.size == 1:
        if 0 <= labels.item() < count:
            return
    elif labels.size <= _FEW:
        found = labels.reshape(-1).tolist()
        if not found or (min(found) >= 0 and max(found) < count):
            return
    elif labels.view(np.uint64).max() < count:  # a negative number is a huge one there
        return
    strange = labels[(labels < 0) | (labels >= count)][0]
    raise ConformanceError(
        f"{contract.name} predicts the {_NAMED.get(contract.task, 'label')} {strange}, but its contract has {count} "
        f"{'tokens' if contract.task == 'language_model' else 'classes'}, 0 to {count - 1}: "
        "none of its predictions can be trusted; export the model again"
    )


def check_finite(outputs: NDArray[Any]) -> None:
    """Refuse outputs that are no numbers.

    Args:
        outputs: float ``[batch, ...]``, C-contiguous.

    Raises:
        InputError: names the first row (from 1) that has no finite output.
    """
    if not all_finite(outputs):
        finite = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
        raise InputError(NO_FINITE_OUTPUT, row=int(np.argmin(finite)) + 1)


def rows_without_answer(contract: ModelContract, outputs: Arrays) -> NDArray[np.intp]:
    """Return the rows, from 0, of which the model computes no finite probabilities, values or vectors.

    Args:
        contract: of the model; of one that returns tensors no row is without an answer.
        outputs: every output by name, each ``[batch, ...]``.
    """
    vectors = {"regression": VALUE, "embedding": EMBEDDING, "language_model": LOGITS}
    name = vectors.get(contract.task, PROBABILITIES)
    if name not in outputs or contract.task == "tensors":
        return np.zeros(0, np.intp)
    found = outputs[name]
    if contract.task == "language_model":  # minus infinity is a token that is never chosen
        found = np.ascontiguousarray(found.max(axis=-1))
    if all_finite(found):
        return np.zeros(0, np.intp)
    return np.flatnonzero(~np.isfinite(found).reshape(len(found), -1).all(axis=1))
