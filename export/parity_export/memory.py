"""Memory that was freed, given back to the system: an export holds the weights several times, but not all at once."""

import ctypes
import gc
import sys

LARGE = 16 * 2**20
"""From this size of a model on, in bytes, memory is given back between steps; below, it takes longer than it saves."""


def give_back(*, collect: bool = True) -> None:
    """Let glibc return its free memory, nothing elsewhere; with ``collect`` garbage is collected first.

    Graphs hold themselves in circles; sessions and arrays do not.

    glibc keeps freed blocks of up to 32 MiB (its largest dynamic mmap threshold, mallopt(3)), which a layer's
    weights rarely exceed: without this, every session that was let go would still count.
    """
    if collect:
        gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
