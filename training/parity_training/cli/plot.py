"""``parity plot``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_training.callables import resolve_callable
from parity_training.reports.run_plots import plot_run
from parity_training.run import Run

_EXAMPLES = """
    # Draw the plots of a run
    parity plot runs/mine
    # Draw those of a run that trained your own network
    parity plot runs/own --network my_package.models:Net
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--network", help="The package.module:Callable that made the network of the run, if Parity did not.")
def plot(run: Path, network: str | None) -> None:
    """Draw the plots of RUN, and write them into its folder: loss, decision boundary, confusion matrix, ROC curve."""
    for picture in plot_run(Run.open(run), None if network is None else resolve_callable(network)):
        echo_line(str(picture))
