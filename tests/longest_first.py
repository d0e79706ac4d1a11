"""Which file of tests runs when: the longest first, so that all processes end together."""

from collections.abc import Iterable

import pytest

TOGETHER = "tests/engines/"
"""A folder that one process runs: its clusters are started once."""

FIRST = (
    TOGETHER, "tests/end_to_end/test_guides.py", "tests/training/test_streaming.py", "tests/embedding/",
    "tests/end_to_end/", "tests/export/", "tests/training/", "tests/proof/",
)  # fmt: skip


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return tests with those of the longest files first; within a file they keep their order."""

    def place(item: pytest.Item) -> int:
        return next((number for number, path in enumerate(FIRST) if item.nodeid.startswith(path)), len(FIRST))

    return sorted(items, key=place)
