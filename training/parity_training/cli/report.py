"""``parity report``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_training.reports.html_report.write_report import write_report


@click.command()
@click.argument("path", metavar="RUN|PACKAGE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The page to write; by default NAME.html beside it.")
def report(path: Path, out: Path | None) -> None:
    """Write a page of HTML about a run or a package.

    What was learned, from what, and how good it is: metrics beside the baseline, pictures, what the network looks at,
    where it is most wrong. One file, which loads nothing: send it, print it, keep it.
    """
    echo_line(str(write_report(path, out)))
