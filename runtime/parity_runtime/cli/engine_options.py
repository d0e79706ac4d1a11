"""Options that hand a table in parts to an engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from parity_runtime.cli.sectioned_help import section
from parity_runtime.inference.predictor import Predictor

if TYPE_CHECKING:
    from parity_runtime.engines.engine import Engine, EngineName
    from parity_runtime.engines.worker_predictor import WorkerPredictor

_ENGINES = ("spark", "ray")
_where = section("Where it runs")


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --engine and --engine-address."""
    for option in reversed((
        _where("--engine", type=click.Choice(_ENGINES),
                     help="Divide the tables among the workers of Spark or Ray, on a cluster or on this machine."),
        _where("--engine-address", metavar="ADDRESS",
                     help="The cluster: a Spark master (spark://host:7077) or a Ray head (host:6379) [default: what "
                          "the engine's own configuration says, or this machine]."),
    )):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class EngineChoice:
    """What the options of `engine_options` say.

    Attributes:
        name: the engine.
        address: of its cluster; None for what is configured.
    """

    name: "EngineName"
    address: str | None

    @classmethod
    def taken_from(cls, options: dict[str, Any], tables: tuple[str, ...]) -> Self | None:
        """Take the options out of a command's; None where there is no engine.

        Raises:
            click.UsageError: they cannot be meant.
        """
        name, address = options.pop("engine"), options.pop("engine_address")
        if name is None:
            if address is not None:
                raise click.UsageError("--engine-address needs an engine; add --engine spark or --engine ray")
            return None
        if not tables:
            raise click.UsageError("--engine works on TABLEs, not on --row")
        if "-" in tables:
            raise click.UsageError("--engine reads files, not stdin; give their names")
        return cls(name, address)

    def open(self, predictor: Predictor) -> "Engine":
        """Return the engine, for a ``with``.

        Raises:
            MissingExtraError: it is not installed.
        """
        from parity_runtime.engines.engine import open_engine  # noqa: PLC0415 -- not without one

        return open_engine(self.name, self.address, gpus=int(predictor.provider == "cuda"))

    def reads(self, *places: str | None) -> bool:
        """Whether some of these are of a file system that the engine reads by itself: ``s3://bucket/points``."""
        from parity_runtime.engines.locations import has_scheme  # noqa: PLC0415 -- not without an engine

        return any(place is not None and has_scheme(place) for place in places)

    def worker(self, predictor: Predictor, package: Path) -> "WorkerPredictor":
        """Return the package, as the workers open it.

        Raises:
            InputError: it is a bare model.
        """
        from parity_runtime.engines.worker_predictor import WorkerPredictor  # noqa: PLC0415 -- not without an engine

        return WorkerPredictor.like(predictor, package)
