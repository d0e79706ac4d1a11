"""``parity plot``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_training.callables import resolve_callable
from parity_training.reports.run_plots import plot_run
from parity_training.run import Run


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--network", help="The package.module:Callable of a run whose network is not Parity's.")
def plot(run: Path, network: str | None) -> None:
    """Draw the plots of a RUN into its folder."""
    for picture in plot_run(Run.open(run), None if network is None else resolve_callable(network)):
        echo_line(str(picture))
