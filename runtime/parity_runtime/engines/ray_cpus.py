"""How many of a Ray cluster's CPUs the actors of a dataset reserve."""

import logging
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

_LOG = logging.getLogger("parity_runtime")


def reserved_cpus(options: Mapping[str, Any], threads: int) -> float:
    """Return the ``num_cpus`` of each actor, so that Ray has a CPU for the tasks that read and write.

    An actor keeps its CPUs until the job ends, and a task of Ray's takes a whole one: where actors hold all, reading
    and writing wait for ever. What the caller asks for is kept, with a warning where it may end so.

    Args:
        options: of ``Dataset.map_batches``.
        threads: of an actor; the CPUs that it reserves unless that may take all, then half as many.
    """
    actors, nodes = _least_actors(options), _cpus_of_nodes()
    asked: float | None = options.get("num_cpus")
    wanted = float(threads) if asked is None else asked
    if not may_take_all(nodes, actors, wanted):
        return wanted
    if asked is None and actors * wanted <= sum(nodes) and not may_take_all(nodes, actors, wanted / 2):
        return wanted / 2
    _LOG.warning(
        "concurrency: %d actors with num_cpus=%g may take all %g CPUs of Ray's cluster, and then reading and writing "
        "wait for ever; ask for fewer actors, or for num_cpus=0",
        actors, wanted, sum(nodes),
    )  # fmt: skip
    return wanted


def may_take_all(nodes: Sequence[float], actors: int, cpus: float) -> bool:
    """Whether actors, wherever Ray puts them, may leave no node with a whole CPU.

    >>> may_take_all([2], actors=2, cpus=1), may_take_all([2], actors=2, cpus=0.5), may_take_all([1, 2], 2, 1)
    (True, False, False)

    Args:
        nodes: the CPUs of each.
        actors: how many there are.
        cpus: that each of them reserves.
    """
    if cpus <= 0:
        return False
    needed = 0
    for node in nodes:
        if node >= 1:
            # The fewest that leave less than one CPU; rounded, since Ray counts in ten-thousandths.
            fewest = floor(round((node - 1) / cpus, 4)) + 1
            if fewest * cpus > node + 1e-4:
                return False  # so many do not fit: a CPU stays free here
            needed += fewest
    return 0 < needed <= actors


def _least_actors(options: Mapping[str, Any]) -> int:
    """Return how many actors Ray starts with; it adds more of them only where CPUs are free."""
    concurrency = options.get("concurrency")
    if isinstance(concurrency, int):
        return concurrency
    if isinstance(concurrency, tuple) and concurrency:
        return int(concurrency[-1] if len(concurrency) == 3 else concurrency[0])
    return int(getattr(options.get("compute"), "initial_size", 1) or 1)


def _cpus_of_nodes() -> list[float]:
    """Return the CPUs of the cluster's nodes; none where Ray has not been started."""
    import ray  # noqa: PLC0415 -- of the [ray] extra

    if not ray.is_initialized():
        return []
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [float(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]
