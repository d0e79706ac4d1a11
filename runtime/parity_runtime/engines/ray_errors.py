"""The errors of Ray's tasks as one line."""

import contextlib
from collections.abc import Iterator
from typing import Any

from parity_runtime.arguments import argument
from parity_runtime.engines.told_errors import told_error
from parity_runtime.errors import MissingExtraError, ParityError, first_line, memory_reason


@contextlib.contextmanager
def ray_errors() -> Iterator[None]:
    """Raise, in place of Ray's exception, an error of Parity that says why a task failed.

    Raises:
        ParityError: what a task raised, or that its process ended.
        MissingExtraError: a worker's Python lacks Parity, or a library that it needs.
    """
    from ray import exceptions  # noqa: PLC0415 -- of the [ray] extra

    try:
        yield
    except exceptions.RayTaskError as error:
        raise _of_task(error) from error
    except (exceptions.OutOfMemoryError, exceptions.WorkerCrashedError, exceptions.NodeDiedError) as error:
        raise _ended() from error
    except exceptions.RayError as error:
        raise ParityError(f"Ray ended the job: {first_line(error)}") from error


def _of_task(error: Any) -> ParityError:
    cause: BaseException = error.cause
    if isinstance(cause, ParityError):
        return cause
    if told := told_error(str(error)):  # Ray's datasets wrap it
        return told
    if memory_reason(cause) is not None:
        return _ended()
    if isinstance(cause, ModuleNotFoundError | AttributeError):
        return MissingExtraError(
            f"a worker's Python lacks what the driver's has ({first_line(cause)}): install there the versions that the "
            'driver has; from a checkout of Parity: pip install ".[cpu,ray]"'
        )
    return ParityError(f"a task of Ray's failed: {first_line(cause)}")


def _ended() -> ParityError:
    return ParityError(
        "a worker's process ended in the middle of a task, probably for lack of memory: give its node more, or "
        f"predict fewer rows at once ({argument('batch_size')})"
    )
