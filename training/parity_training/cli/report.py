"""``parity report``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_training.reports.html_report.write_report import write_report

_EXAMPLES = """
    # Write runs/mine.html
    parity report runs/mine
    # Write a report about a package
    parity report packages/mine --out mine.html
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@click.argument("path", metavar="RUN|PACKAGE", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The HTML file to write [default: NAME.html beside the folder]."
)
def report(path: Path, out: Path | None) -> None:
    """Write an HTML report about a run or a package.

    The report shows the data, the metrics beside a baseline, plots, which features matter to the network, and the rows
    on which it is most wrong. It is one file that loads nothing from elsewhere, so that you can send it.
    """
    echo_line(str(write_report(path, out)))
