"""Memory that was freed, given back to the system: an export holds the weights several times, but not all at once."""

import gc

from parity_runtime.inference import memory
from parity_runtime.package import inline_tensors

LARGE = inline_tensors.LARGE
"""From this size of a model on, in bytes, memory is given back between steps; below, it takes longer than it saves."""


def give_back(*, collect: bool = True) -> None:
    """Let the system have free memory again; with ``collect`` garbage is collected first.

    Graphs hold themselves in circles; sessions and arrays do not. Without this, every session that was let go would
    still count.
    """
    if collect:
        gc.collect()
    memory.give_back()
