"""Memory that was freed, given back to the system: a session of large weights has held copies of them meanwhile."""

import ctypes
import sys


def give_back() -> None:
    """Let glibc return its free memory; nothing elsewhere.

    It keeps freed blocks of up to 32 MiB (its largest dynamic mmap threshold, mallopt(3)), which a layer's weights
    rarely exceed.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
