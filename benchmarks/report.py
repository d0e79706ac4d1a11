"""Runs every benchmark, keeps its figures in benchmarks/results, and writes benchmarks.md with its pictures.

``--only training,scoring`` runs some of them; ``--render`` runs none and writes the page from the figures that are
kept. One that cannot be measured here says why and prints nothing, and what is kept of it stays.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pages
from common import ROOT, clean_environment

RESULTS = ROOT / "benchmarks" / "results"
LIBRARIES = (
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
    "transformers",
    "onnx",
    "scikit-learn",
    "skorch",
    "lightning",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
)


def main() -> None:
    """Run and render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(pages.SUBJECTS))
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    measured = commit()
    for name in [] if arguments.render else arguments.only.split(","):
        print(f"measuring {name}", file=sys.stderr)
        command = [sys.executable, str(ROOT / pages.script(name))]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=clean_environment()).stdout
        if not found:
            continue
        facts = {"commit": measured, "machine": machine(), "versions": versions(), "figures": json.loads(found)}
        (RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    files = {name: RESULTS / f"{name}.json" for name in pages.SUBJECTS}
    known = {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}
    (ROOT / "docs" / "reference" / "benchmarks.md").write_text(pages.page(known), encoding="utf-8")
    try:
        import pictures
    except ModuleNotFoundError as error:  # where there is a GPU there may be no matplotlib
        print(f"docs/reference/benchmarks.md has the figures, its pictures have not: {error}", file=sys.stderr)
    else:
        pictures.draw(known, ROOT / "docs" / "images")


def commit() -> str:
    """Return the commit that is measured, ``-dirty`` if what lies here is not quite it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def machine() -> str:
    """Return the processor and its cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
