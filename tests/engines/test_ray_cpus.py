"""What actors reserve, on clusters of any shape; no cluster is started."""

import itertools

import pytest

from parity_runtime.engines.ray_cpus import may_take_all


@pytest.mark.parametrize(
    ("nodes", "actors", "cpus", "expected"),
    [
        ([2], 1, 1, False), ([2], 2, 1, True), ([2], 4, 1, True), ([2], 2, 0.5, False), ([2], 2, 0, False),
        ([1], 1, 1, True), ([1, 1], 1, 1, False), ([1, 1], 2, 0.5, True), ([1, 2], 3, 1, True), ([1, 2], 3, 0.5, False),
        ([0, 2], 2, 1, True), ([3], 2, 2, False), ([8] * 100, 800, 1, True), ([8] * 100, 800, 0.5, False),
        ([16], 15, 1, False), ([1.1], 2, 0.1, True), ([], 2, 1, False),
    ],
)  # fmt: skip
def test_actors_may_take_all_cpus(nodes: list[float], actors: int, cpus: float, expected: bool) -> None:
    assert may_take_all(nodes, actors, cpus) is expected


@pytest.mark.parametrize("nodes", [[1], [2], [3], [1, 1], [1, 2], [2, 3], [1, 1, 2]])
@pytest.mark.parametrize("cpus", [0.25, 0.5, 1, 1.5, 2])
@pytest.mark.parametrize("actors", range(1, 7))
def test_no_placement_of_the_actors_says_otherwise(nodes: list[float], actors: int, cpus: float) -> None:
    """Every placement is tried, also those in which some actors find no room."""
    filled = False
    for counts in itertools.product(*(range(int(node / cpus) + 1) for node in nodes)):
        placed = sum(counts)
        free = [node - count * cpus for node, count in zip(nodes, counts, strict=True)]
        if placed == actors or (placed < actors and max(free) < cpus):
            filled |= max(free) < 1
    assert may_take_all(nodes, actors, cpus) is filled
