"""Options as a message names them: they work when they are pasted into a shell."""

import shlex
from collections.abc import Sequence

from parity_runtime.tables.csv_file import csv_line


def option_hint(name: str, items: Sequence[str]) -> str:
    """Return an option that takes a list, with its items."""
    return f"{name} {shlex.quote(csv_line(items).decode() if items else '')}"
