"""What a forked child does with the sessions that it inherits: it leaks them.

onnxruntime's threads do not exist in the child, so that destroying an inherited session hangs or crashes. The
child holds one more reference to each, which nothing gives back, and makes sessions of its own when asked.
"""

import functools
import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """What can give up a session that it must not destroy."""

    def _forget_session(self) -> object: ...


# By identity: a subclass may compare by value, and then has no hash.
_living: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()


def survive_forks(predictor: Forkable) -> None:
    """From here on, a forked child makes ``predictor`` forget its session."""
    _watch()
    _living[id(predictor)] = predictor


@functools.cache
def _watch() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    import ctypes  # noqa: PLC0415 -- only in a forked child

    for predictor in list(_living.values()):
        session = predictor._forget_session()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
