"""Classes that are false and true: a truth value is one of them, however it is spelled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SPELLED = {"false", "true"}


def truth_classes(classes: Sequence[str | int]) -> dict[str, str]:
    """Return the classes by their lower case where they are false and true, in any case; nothing where they are not."""
    names = {label.lower(): label for label in classes if isinstance(label, str)}
    return names if len(classes) == 2 and set(names) == _SPELLED else {}


def as_classes(truth: NDArray[Any], classes: Sequence[str | int]) -> NDArray[Any]:
    """Return true classes, ``[rows]``, as the model calls them: bools and true and false in any case.

    Whatever else they are, and of a model with other classes, they stay as they are.
    """
    names = truth_classes(classes)
    if not names or truth.dtype.kind not in "bOUT":
        return truth
    return np.array([names.get(str(cell).strip().lower(), cell) for cell in truth.tolist()], object)
