"""Warnings that tell a person nothing: numpy's of probes that overflow or divide by zero, and one of torch's.

Both are silenced around a whole export, not around each call of a module: every change of the filters makes Python
show the module's own warnings once more.
"""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def quiet(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return a function in which numpy warns of no value, and torch of no nested tensor."""

    @functools.wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            # nn.TransformerEncoder packs padded rows so; it is torch's choice, and no one else's.
            warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
            return function(*args, **kwargs)

    return run
