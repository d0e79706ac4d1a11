"""What Parity asks of an engine: to call a function with each part of a table, on its workers."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeVar, get_args

from parity_runtime.arguments import argument, options_are_named
from parity_runtime.errors import ParityError
from parity_runtime.tables.table_parts import TablePart

EngineName = Literal["spark", "ray"]
"""The engines that there are."""

ENGINES: tuple[str, ...] = get_args(EngineName)

MOST_AT_ONCE = 64
"""Parts that are handed to an engine ahead of its answers, unless it has more cores than half of that."""

Result = TypeVar("Result")


class Engine(Protocol):
    """A cluster, or processes of this machine, while the block of a ``with`` runs."""

    def map(self, function: Callable[[TablePart], Result], parts: Sequence[TablePart]) -> Iterator[Result]:
        """Call a function that pickles with each part, on the workers; yield what it returns, as it comes.

        A part whose worker dies is tried again elsewhere; one whose function raises a `ParityError` is not.

        Raises:
            ParityError: the first that a worker raised, or what became of the workers.
        """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_engine(name: EngineName, address: str | None = None, *, gpus: int = 0) -> Engine:
    """Return an engine, for a ``with``.

    Args:
        name: which one.
        address: of its cluster: a master of Spark's, or Ray's head; None for what its own configuration says, or else
            for processes of this machine.
        gpus: that each part takes; of Ray.

    Raises:
        MissingExtraError: it is not installed.
    """
    if name == "ray":
        from parity_runtime.engines.ray_engine import RayEngine  # noqa: PLC0415 -- of an extra

        return RayEngine(address, gpus)
    from parity_runtime.engines.spark_engine import SparkEngine  # noqa: PLC0415 -- of an extra

    return SparkEngine(address)


@dataclass(frozen=True)
class WorkerCall:
    """A function of a part, as a worker calls it: an error that is Parity's comes back as it is, and is not tried again.

    Attributes:
        function: it pickles.
    """

    function: Callable[[TablePart], Any]

    def __call__(self, part: TablePart) -> Any:
        """Return what the function returns, or the error."""
        with options_are_named():
            try:
                return self.function(part)
            except ParityError as error:
                return error


def unwrapped(result: Any) -> Any:
    """Return what a `WorkerCall` returned, or raise it where it is an error."""
    if isinstance(result, ParityError):
        raise result
    return result


def absolute(parts: Sequence[TablePart]) -> list[TablePart]:
    """Return parts with paths that mean the same on every worker."""
    return [replace(part, path=os.path.abspath(part.path)) for part in parts]  # noqa: PTH100 -- links stay


def engine_argument(name: EngineName) -> str:
    """Return the engine, as the caller chose it."""
    return argument("engine", name)
