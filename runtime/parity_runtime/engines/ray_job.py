"""Whether tasks of Ray's still belong to a job: each asks before it begins.

``ray.cancel`` may abort the driver's process: if a task ends while it is being cancelled, a check within Ray fails
("Tried to complete task that was not pending", as of Ray 2.60).
"""

import contextlib
import uuid
from typing import Any

_NAMESPACE = b"parity"
_GIVEN_UP = b"given up"


def new_job() -> bytes:
    """Return a name that no other job has."""
    return uuid.uuid4().hex.encode()


def give_up(job: bytes) -> None:
    """Say in the cluster that a job's tasks need not begin; those that have begun end by themselves."""
    with contextlib.suppress(Exception):  # the error that ended the job is the one to raise
        _store()._internal_kv_put(job, _GIVEN_UP, namespace=_NAMESPACE)


def is_given_up(job: bytes) -> bool:
    """Whether `give_up` was called for a job, on the driver."""
    with contextlib.suppress(Exception):  # work that nobody waits for is better than a job that fails
        return bool(_store()._internal_kv_exists(job, namespace=_NAMESPACE))
    return False


def _store() -> Any:
    """Return the functions of the key-value store that each cluster of Ray's has."""
    from ray.experimental import internal_kv  # noqa: PLC0415 -- of the [ray] extra

    return internal_kv
