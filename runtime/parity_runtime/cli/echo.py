"""How the commands print: what a stranger's file put into a line cannot steer the terminal, nor add a line."""

import click

from parity_runtime.printable import printable


def echo_line(line: str, *, err: bool = False) -> None:
    """Print one line on stdout or stderr, what does not print escaped."""
    click.echo(printable(line), err=err)
