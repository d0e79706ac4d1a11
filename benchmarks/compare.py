"""What moved between two measurements: figures that left each other's quartiles.

    python benchmarks/compare.py [NAME ...] [--base COMMIT] [--strict]

compares benchmarks/results/NAME.json (all of them, without a name) with the file at a commit: without ``--base``, the
last that keeps other figures, so that what was just measured is compared with what is committed, and what is committed
with what was before. Better and worse is what a figure's target says. ``--strict`` exits with 1 where one is worse.
Quartiles are of one run, and two runs differ by more: they are taken to lie `LEAST` of the median away, at least.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pages

RESULTS = Path(__file__).parent / "results"
LEAST = 0.02
LONELY = 0.05
"""The same of a figure that was measured once, which has no quartiles."""


@dataclass(frozen=True)
class Spread:
    """A figure's median, and between what it is expected in another run."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: pages.Figures) -> Self:
        """Return that of a figure."""
        value, quartiles = pages.value(figures), figures.get("quartiles")
        least = abs(value) * (LEAST if quartiles else LONELY)
        low, high = quartiles or (value, value)
        return cls(value, min(low, value - least), max(high, value + least))

    def holds(self, value: float) -> bool:
        """Whether a value is within."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{pages.number(self.value)} ({pages.number(self.low)} to {pages.number(self.high)})"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--base", help="the commit to compare with")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a figure is worse")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder")
    arguments = parser.parse_args()
    known = {file.stem: file for file in sorted(arguments.results.glob("*.json"))}
    for name in arguments.names:
        if name not in known:
            sys.exit(f"no results of {name} are kept; there are {', '.join(known)}")
    if _git(arguments.results, "rev-parse", "--verify", f"{arguments.base or 'HEAD'}^{{commit}}") is None:
        known_by = f"git log -- {arguments.results} lists those with figures"
        sys.exit(f"git knows no commit {arguments.base or 'HEAD'} here; {known_by}")
    worse = sum(report(known[name], arguments.base) for name in arguments.names or known)
    if worse and arguments.strict:
        sys.exit(f"{worse} figure{'s are' if worse > 1 else ' is'} worse")


def report(file: Path, base: str | None) -> int:
    """Print what moved in a file, and return how many figures are worse."""
    new = json.loads(file.read_text())
    if "figures" not in new:
        return 0  # a table of another kind
    commit, old = (base, kept_at(file, base)) if base else last_other(file, new)
    if old is None:
        print(f"{file.stem}: no other figures are kept{f' at {base}' if base else ''}")
        return 0
    rows = moved(old["figures"], new["figures"])
    heading = f"{file.stem}, beside {str(commit)[:12]}: "
    print(
        heading + (f"{len(rows)} moved" if rows else "nothing moved") + "".join(f"; {one}" for one in others(old, new))
    )
    for verdict, name, before, after in rows:
        change = f", {after.value / before.value - 1:+.1%}" if before.value else ""
        print(f"  {verdict}: {name}: {before} to {after}{change}")
    return sum(verdict == "worse" for verdict, *_ in rows)


def kept_at(file: Path, commit: str) -> dict[str, Any] | None:
    """Return what a file held at a commit; None where it was not there."""
    shown = _git(file, "show", f"{commit}:./{file.name}")
    return None if shown is None else dict(json.loads(shown))


def last_other(file: Path, new: dict[str, Any]) -> tuple[str | None, dict[str, Any] | None]:
    """Return the last commit that keeps other figures than these, and what it keeps; None and None without one."""
    for commit in (_git(file, "log", "--format=%H", "--", file.name) or "").split():
        old = kept_at(file, commit)
        if old is not None and old.get("figures") != new.get("figures"):
            return commit, old
    return None, None


def moved(old: pages.Figures, new: pages.Figures) -> list[tuple[str, str, Spread, Spread]]:
    """Return ``better``, ``worse`` or ``moved``, the name, the old and the new, of figures that left the quartiles."""
    before, after = ({name: node for name, node in pages.walk(found) if pages.is_figure(node)} for found in (old, new))
    rows = []
    for name in [name for name in after if name in before]:
        first, second = Spread.of(before[name]), Spread.of(after[name])
        if not (first.holds(second.value) or second.holds(first.value)):
            gain = pages.direction(after[name]) * (second.value - first.value)
            rows.append(("moved" if gain == 0 else "better" if gain > 0 else "worse", name, first, second))
    return sorted(rows, key=lambda row: ("worse", "better", "moved").index(row[0]))


def others(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what else is another: the machine, versions, and figures that only one of them has."""
    found = [] if old["machine"] == new["machine"] else [f"another machine ({old['machine']})"]
    first, second = old["versions"], new["versions"]
    found += [
        f"{name} {first[name]} to {second[name]}" for name in first if second.get(name, first[name]) != first[name]
    ]
    names = [{name for name, node in pages.walk(one["figures"]) if pages.is_figure(node)} for one in (old, new)]
    found += [f"new: {name}" for name in sorted(names[1] - names[0])]
    return found + [f"no longer there: {name}" for name in sorted(names[0] - names[1])]


def _git(file: Path, *arguments: str) -> str | None:
    """Return what git says in a file's folder, or in a folder; None where it refuses."""
    command = ["git", "-C", str(file if file.is_dir() else file.parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    main()
