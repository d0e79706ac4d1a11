"""Whether tasks of Ray's still belong to a job: each asks before it begins.

``ray.cancel`` is no way to end them. Where it meets a task in the moment in which that one ends, a check of Ray's own
fails ("Tried to complete task that was not pending", as of Ray 2.60) and aborts the driver's process.
"""

import contextlib
import uuid
from typing import Any

_NAMESPACE = b"parity"
_GIVEN_UP = b"given up"


def new_job() -> bytes:
    """Return a job's name, which no other one has."""
    return uuid.uuid4().hex.encode()


def give_up(job: bytes) -> None:
    """Say in the cluster that a job's tasks need not begin; those that have begun end by themselves."""
    with contextlib.suppress(Exception):  # a convenience: the error that ended the job is the one to raise
        _store()._internal_kv_put(job, _GIVEN_UP, namespace=_NAMESPACE)


def is_given_up(job: bytes) -> bool:
    """Whether `give_up` was called for a job, on the driver."""
    return bool(_store()._internal_kv_exists(job, namespace=_NAMESPACE))


def _store() -> Any:
    """Return the functions of the key-value store that each cluster of Ray's has."""
    from ray.experimental import internal_kv  # noqa: PLC0415 -- of the [ray] extra

    return internal_kv
