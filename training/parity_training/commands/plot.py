"""``parity plot``."""

from pathlib import Path

import click

from parity_training.pictures import plot_run
from parity_training.run import Run


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def plot(run: Path) -> None:
    """Draw the pictures of a RUN into its folder."""
    for picture in plot_run(Run.open(run)):
        click.echo(picture)
