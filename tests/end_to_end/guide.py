"""Run every command and every Python block of a guide, in its order, in one session.

Blocks of Python share their names, blocks of sh the folder. A block behind a line ``<!-- not run: reason -->`` is left
out, and one behind ``<!-- file: name -->`` is not run but written to that file.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

_NOT_RUN = re.compile(r"<!-- not run: .+ -->")
_FILE = re.compile(r"<!-- file: ([\w./-]+) -->")
LANGUAGES = {"sh", "python"}
"""What is run."""


def blocks(text: str) -> list[tuple[str, str, bool]]:
    """Return the language, the code, and whether it is left out, of every fenced block; a file's block is."""
    marks = (_NOT_RUN, _FILE)
    return [(language, code, any(mark.fullmatch(before) for mark in marks)) for language, code, before in _all(text)]


def write_files(text: str, folder: Path) -> list[str]:
    """Write every block that is a file into a folder; return their names."""
    found = {match[1]: code for _, code, before in _all(text) if (match := _FILE.fullmatch(before))}
    for name, code in found.items():
        (folder / name).write_text(code)
    return list(found)


def _all(text: str) -> list[tuple[str, str, str]]:
    """Return the language, the code, and the line with text before it, of every fenced block."""
    lines = text.split("\n")
    found, start = [], None
    for number, line in enumerate(lines):
        if line.startswith("```") and start is None:
            start = number
        elif line == "```" and start is not None:
            before = next((other for other in reversed(lines[:start]) if other.strip()), "")
            code = "\n".join(lines[start + 1 : number]) + "\n"
            found.append((lines[start].removeprefix("```"), code, before))
            start = None
    return found


def main(guide: str) -> None:
    """Run a guide in the current folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    text = Path(guide).read_text(encoding="utf-8")
    write_files(text, Path())
    for language, code, left_out in blocks(text):
        sys.stdout.flush()
        if left_out or language not in LANGUAGES:
            continue
        if language == "sh":
            subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True)
        else:
            exec(compile(code, guide, "exec"), names)  # noqa: S102 -- a guide of our own
