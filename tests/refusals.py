"""Errors by what they are and where they point, whatever their sentence says."""

import contextlib
from collections.abc import Iterator

import pytest

from parity_runtime import InputError


@contextlib.contextmanager
def refused_at(**place: object) -> Iterator[None]:
    """Fail unless the block raises an `InputError` with these attributes: ``path``, ``row``, ``column``."""
    with pytest.raises(InputError) as caught:
        yield
    assert {name: getattr(caught.value, name) for name in place} == place, caught.value
