"""``parity info``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import package_argument
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.package.manifest import CONTRACT, Package
from parity_runtime.package.summary import summarize
from parity_runtime.printable import printable_json

_EXAMPLES = """
    # Show what the model takes and returns
    parity info packages/xor
    # Print the contract as JSON
    parity info packages/xor --json
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.option("--json", "as_json", is_flag=True, help="Print contract.json, which has all details.")
def info(package: Path, as_json: bool) -> None:
    """Show what the model in PACKAGE takes and returns, how it was made, and the package id."""
    opened = Package.open(package)
    if as_json:
        opened.read_json(CONTRACT)  # its format is checked
        click.echo(printable_json(opened.read(CONTRACT).decode()), nl=False)
        return
    for line in summarize(opened.contract):
        echo_line(line)
    echo_line(f"package     {opened.id}")
