"""Probes hold what numpy warns of, divisions by zero and overflows; a person is told what follows of them."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")


def quiet(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return a function in which numpy warns of no value."""

    @functools.wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            return function(*args, **kwargs)

    return run
