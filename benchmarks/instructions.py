"""How many instructions the hot paths take: where times are too noisy, a count says what a change costs.

    python benchmarks/instructions.py [--check]

prints one JSON object: callgrind's counts of a call of each of `hot_paths.py`, medians with quartiles. Two processes
differ by less than 1 %. Counts hold for one build of Python and one version of each library; callgrind shows programs
the same processor on every machine with AVX2, so that kernels are chosen alike. ``--check`` compares with what
benchmarks/results keeps, and exits with 1 where a path takes more than `MOST` of it. Where nothing can be counted or
compared, it says why.
"""

import argparse
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common import ROOT, clean_environment

KEPT = ROOT / "benchmarks" / "results" / "instructions.json"
MOST = 1.05

_FOLDER = Path(__file__).parent
_DUMP = re.compile(r"^desc: Trigger: Client Request: (\d+) (.+)\n(?:.*\n)*?totals: (\d+)$", re.MULTILINE)
_NOTHING = "nothing"


def main() -> None:
    """Count and print, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is kept")
    arguments = parser.parse_args()
    kept = json.loads(KEPT.read_text())["figures"] if arguments.check else None
    reason = missing() or (kept and incomparable(kept["environment"], environment()))
    if reason:
        print(f"instructions are not counted: {reason}", file=sys.stderr)
        return
    counts = counted()
    if kept is None:
        print(json.dumps({"counts": counts, "environment": environment()}, indent=2))
        return
    lines, is_over = compared(kept["counts"], counts)
    print("\n".join(lines))
    if is_over:
        sys.exit(f"more than {MOST:.0%} of the instructions that are kept; if that is meant, keep these: "
                 "python benchmarks/report.py --only instructions")  # fmt: skip


def missing() -> str:
    """Return what there is not to count with; an empty text where all is there."""
    for command in ("valgrind", "gcc"):
        if shutil.which(command) is None:
            return f"{command} is not installed"
    if not Path("/usr/include/valgrind/callgrind.h").exists():
        return "valgrind's headers are not installed"
    cpuinfo = Path("/proc/cpuinfo")
    has_avx2 = platform.machine() == "x86_64" and cpuinfo.exists() and " avx2 " in cpuinfo.read_text()
    return "" if has_avx2 else "they are those of an x86-64 processor with AVX2"


def environment() -> dict[str, str]:
    """Return what a count depends on beside our own code."""
    found = {"Python": f"{platform.python_version()}, {platform.python_compiler()}"}
    found |= {"C library": " ".join(platform.libc_ver())}
    told = subprocess.run(["valgrind", "--version"], check=True, capture_output=True, text=True).stdout
    found |= {"valgrind": told.strip().removeprefix("valgrind-")}
    return found | {library: version(library) for library in ("numpy", "onnxruntime", "orjson", "torch")}


def incomparable(kept: dict[str, str], here: dict[str, str]) -> str:
    """Return why counts cannot be compared; an empty text where they can."""
    others = [f"{name} {here.get(name)} in the place of {kept[name]}" for name in kept if kept[name] != here.get(name)]
    return f"those that are kept are of another environment ({'; '.join(others)})" if others else ""


def counted() -> dict[str, Any]:
    """Return the instructions of a call of each hot path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / "requests.so"
        source = _FOLDER / "callgrind_requests.c"
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source], check=True)
        command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/dump"]
        single = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        python = [sys.executable, _FOLDER / "hot_paths.py", library]
        subprocess.run([*command, *python], check=True, stdout=sys.stderr, env=clean_environment() | single)
        dumps = sorted(folder.glob("dump.*"), key=lambda path: int(path.suffix[1:]))
        return figures(path.read_text() for path in dumps)


def figures(dumps: Any) -> dict[str, Any]:
    """Return the counts by path, without what it takes to begin and end one."""
    totals = defaultdict(list)
    for found in filter(None, map(_DUMP.search, dumps)):
        totals[found[2], int(found[1])].append(int(found[3]))
    nothing = statistics.median(totals.pop((_NOTHING, 1)))
    return {
        name: _summary([(total - nothing) / calls for total in found])
        | {"target": f"kept: at most {MOST - 1:.0%} more"}
        for (name, calls), found in totals.items()
    }


def compared(kept: dict[str, Any], found: dict[str, Any]) -> tuple[list[str], bool]:
    """Return a line for each hot path, and whether one takes more than `MOST` of what is kept."""
    lines, is_over = [], False
    for name, figure in found.items():
        here, before = figure["instructions"], kept.get(name, {}).get("instructions")
        if before is None:
            lines.append(f"{name}: {here:,}, nothing is kept")
            continue
        is_over |= here > MOST * before
        lines.append(f"{name}: {here:,}, {here / before:.1%} of {before:,}{', too many' * (here > MOST * before)}")
    return lines, is_over


def _summary(counts: list[float]) -> dict[str, Any]:
    low, middle, high = (round(count) for count in statistics.quantiles(counts, n=4))
    return {"instructions": middle, "quartiles": [low, high]}


if __name__ == "__main__":
    main()
