"""Tables on other file systems through ``parity predict``: an engine reads them, and writes the answers."""

from collections.abc import Sequence
from typing import Any

import click

from parity_runtime.cli.engine_options import EngineChoice
from parity_runtime.cli.predict_table import say
from parity_runtime.engines.locations import LocationsJob
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.scoring.score_table import ScoringJob


def refuse_beside_locations(given: dict[str, Any], engine: EngineChoice) -> None:
    """Refuse options of files that Parity reads itself.

    Args:
        given: all of the command's options, by name.
        engine: the chosen one.

    Raises:
        click.UsageError: names the first of them.
    """
    for name, value in given.items():
        is_said = value or (name == "missing_values" and value is not None)
        if is_said and name != "format_name":
            raise click.UsageError(
                f"--{name.replace('_', '-')} is for files that Parity reads itself, and {engine.name.title()} reads "
                "URLs; leave it out, or give paths"
            )


def predict_locations(
    engine: EngineChoice, worker: WorkerPredictor, tables: Sequence[str], out: str,
    how: tuple[str | None, ScoringJob],
) -> None:  # fmt: skip
    """Answer tables that an engine reads, into a folder that it writes.

    Raises:
        ParityError: as `predict_with_spark` and `predict_with_ray`.
    """
    job = LocationsJob.of(tables, out, how[0], worker, how[1])
    if engine.name == "spark":
        from parity_runtime.engines.spark_locations import predict_with_spark  # noqa: PLC0415 -- of an extra

        predict_with_spark(job, engine.address)
    else:
        from parity_runtime.engines.ray_locations import predict_with_ray  # noqa: PLC0415 -- of an extra

        predict_with_ray(job, engine.address, int(worker.provider == "cuda"))
    say(f"predicted in {out}, by {engine.name.title()}")
