"""Which cases of a long test every run tries; `make soak` tries the others."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], kept: Collection[str], name: Any = str) -> list[Any]:
    """Return the cases as parameters with `name(case)` as their ids; those that are not in `kept` are marked `soak`."""
    cases = list(cases)
    missing = set(kept) - {name(case) for case in cases}
    assert not missing, f"no case is named {', '.join(sorted(missing))}"
    return [pytest.param(case, id=name(case), marks=() if name(case) in kept else pytest.mark.soak) for case in cases]
