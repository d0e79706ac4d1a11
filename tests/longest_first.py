"""Which file of tests runs when: the longest first, so that all processes end together."""

from collections.abc import Iterable

import pytest

TOGETHER = ("tests/engines/", "tests/embedding/")
"""Folders that one process runs each: its clusters are started, its npm workspace is installed once."""

FIRST = (*TOGETHER, "tests/serving/", "tests/end_to_end/", "tests/export/", "tests/training/", "tests/proof/")
"""The longest, and what waits for slow clients while there is other work for the processor."""


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those of the longest files first; within a file they keep their order."""

    def place(item: pytest.Item) -> int:
        return next((number for number, path in enumerate(FIRST) if item.nodeid.startswith(path)), len(FIRST))

    return sorted(items, key=place)
