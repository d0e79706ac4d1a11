"""What Parity asks of an engine: to call a function with each part of a table, on its workers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from parity_runtime.arguments import options_are_named
from parity_runtime.errors import ParityError
from parity_runtime.tables.table_parts import TablePart

EngineName = Literal["spark", "ray"]
"""The engines that there are."""

MOST_AT_ONCE = 64
"""Parts that are handed to an engine ahead of its answers, unless it has more cores than half of that."""

Result = TypeVar("Result")


class Engine(ABC):
    """A cluster, or processes of this machine, while the block of a ``with`` runs."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    @abstractmethod
    def map(self, function: Callable[[TablePart], Result], parts: Sequence[TablePart]) -> Generator[Result]:
        """Call a function that pickles with each part, on the workers; yield what it returns, as it comes.

        A part whose worker dies is tried again elsewhere; one whose function raises a `ParityError` is not. When the
        generator is closed, which must be before the engine ends, what is left is given up.

        Raises:
            ParityError: the first that a worker raised, or what became of the workers.
        """

    @abstractmethod
    def start(self, stack: ExitStack) -> None:
        """Start, or find what has been started, and say what ends it.

        Raises:
            InputError: it does not start, or does not answer.
        """

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


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
    """A function of a part, as a worker calls it: an error of Parity comes back as it is, and is not tried again.

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
    """Return parts with paths that mean the same on every worker; links stay, and so does what goes up from one."""
    return [replace(part, path=str(Path(part.path).absolute())) for part in parts]
