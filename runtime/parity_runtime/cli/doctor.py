"""``parity doctor``."""

import json
import os
import sys
from collections.abc import Iterable, Iterator

import click

from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.doctor.examine import examine
from parity_runtime.doctor.finding import Finding
from parity_runtime.printable import counted, printable

_COLORS = {"ok": "green", "absent": "bright_black", "warning": "yellow", "error": "red"}
_WIDTH = max(map(len, _COLORS))


_EXAMPLES = """
    # Check this installation
    parity doctor
    # Import every installed extra as well, and print JSON
    parity doctor --deep --json
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@click.option("--deep", is_flag=True, help="Also import every installed extra, which takes some seconds for each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(deep: bool, as_json: bool) -> int:
    """Show what is installed, which extras and execution providers work, and how to repair what does not.

    An execution provider is what onnxruntime runs on: the CPU or CUDA. The command exits with 1 if Parity cannot
    predict here. It sends nothing over the network.
    """
    findings = examine(deep=deep)
    if as_json:
        found = list(findings)
        works = not _count(found, "error")
        click.echo(json.dumps({"works": works, "findings": [each.to_json() for each in found]}, indent=2))
        return int(not works)
    found = list(_say(findings))
    errors, warnings = _count(found, "error"), _count(found, "warning")
    told = "Parity can predict here" if not errors else "Parity cannot predict here"
    click.echo(f"\n{told}: {counted(errors, 'error')}, {counted(warnings, 'warning')}")
    return int(bool(errors))


def _count(findings: Iterable[Finding], level: str) -> int:
    return sum(finding.level == level for finding in findings)


def _say(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Print each finding as soon as it is there, and hand it on."""
    area = ""
    for finding in findings:
        if finding.area != area:
            click.echo(f"\n{finding.area}" if area else finding.area)
            area = finding.area
        mark = finding.level.ljust(_WIDTH)
        mark = click.style(mark, fg=_COLORS[finding.level]) if _in_color() else mark
        click.echo(f"  {mark}  {printable(finding.name):<22}  {printable(finding.found)}")
        if finding.remedy:
            verb = "get" if finding.level == "absent" else "mend"
            click.echo(f"  {'':{_WIDTH}}  {'':22}  {verb}: {printable(finding.remedy)}")
        yield finding


def _in_color() -> bool:
    """Whether a person looks at a terminal that shows colors, and has not asked for none (https://no-color.org)."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    return on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
