"""How much memory a container may take that serves packages."""

_BASE = 2**30  # of the server itself, its threads, and bodies that arrive at once
_COPIES = 3  # of a model: what the session holds, and what loading it takes for a while
_STEP = 2**28
_MIB = 2**20


def memory_limit(model_bytes: int, instances: int = 1) -> int:
    """Return a limit in MiB: 1 GiB, and three times the models' bytes for each instance, in steps of 256 MiB.

    >>> memory_limit(5_000), memory_limit(10**9)
    (1280, 4096)

    Args:
        model_bytes: of all graphs, and the weights beside them.
        instances: how often each is loaded.
    """
    needed = _BASE + _COPIES * instances * model_bytes
    return -(-needed // _STEP) * _STEP // _MIB
