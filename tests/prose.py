"""Check the prose of Markdown files with proselint, and nothing that is code: ``python -m tests.prose FILES``.

proselint reads a whole file as prose. So fenced blocks, code in a line, comments and the targets of links are blanked
first, in place, and each paragraph is checked alone: a word that ends one and begins the next is no repetition.
``.proselintrc.json`` names the checks that are switched off, and why.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from proselint import checks
from proselint.config import Config, load_from
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / ".proselintrc.json"
_NO_PROSE = re.compile(
    r"^( *)```.*?^\1```$"  # a fenced block
    r"|<!--.*?-->"
    r"|(?<!`)(`+)(?!`)(?:(?!\n\n).)+?(?<!`)\2(?!`)"  # code in a paragraph
    r"|(?<=\])\([^)\s]+\)"  # where a link leads
    r"|(?<![\w'])(?![aI]\b)\w\b",  # a variable: h h is a product
    re.DOTALL | re.MULTILINE,
)


def prose(text: str) -> str:
    """Blank what is no prose with dots, which no check takes for words; every other character stays where it is."""
    return _NO_PROSE.sub(lambda match: re.sub(r"[^\n]", "·", match[0]), text)


def findings(text: str, config: Config) -> Iterator[tuple[int, str]]:
    """Yield the line, and what proselint says of it, of each finding in a Markdown text."""
    cleaned = prose(text)
    for match in re.finditer(r"(?:[^\n]+(?:\n|\Z))+", cleaned):
        first = cleaned.count("\n", 0, match.start())
        for found in LintFile("", match[0]).lint(config):
            result = found.check_result
            yield first + found.pos[0], f"{result.check_path}: {result.message}"


def main(files: list[str]) -> int:
    """Print each finding with its file and line; return 1 if there is one."""
    CheckRegistry().register_many(checks.__register__)
    config = load_from(CONFIG)
    found = [f"{name}:{line}: {what}" for name in files for line, what in findings(Path(name).read_text(), config)]
    sys.stdout.writelines(f"{one}\n" for one in found or [f"{len(files)} files of prose: no findings"])
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
