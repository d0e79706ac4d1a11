"""Runs every benchmark, keeps its figures in benchmarks/results, and writes docs/benchmarks.md with a picture.

``--only training,scoring`` runs some of them; ``--render`` runs none and writes the page from the figures that are
kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from common import ROOT, clean_environment

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "images" / "benchmarks.png"
SUBJECTS = {
    "training": "Training: the others' time over Parity's, for the notebook's job",
    "export": "Export: time beside a bare torch.onnx.export, memory beside the weights",
    "predictor": "Prediction: beside bare onnxruntime and torch; start and size of an application",
    "scoring": "Files: beside scripts of pandas, polars and pyarrow",
    "certified": "Proof: a certified answer's time over a plain one's",
}
LIBRARIES = (
    "numpy",
    "onnxruntime",
    "torch",
    "onnx",
    "scikit-learn",
    "skorch",
    "lightning",
    "pandas",
    "polars",
    "pyarrow",
)
Figures = dict[str, Any]


def main() -> None:
    """Run and render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(SUBJECTS))
    parser.add_argument("--render", action="store_true")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for name in [] if arguments.render else arguments.only.split(","):
        print(f"measuring {name}", file=sys.stderr)
        command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=clean_environment()).stdout
        facts = {"machine": machine(), "versions": versions(), "figures": json.loads(found)}
        (RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n")
    known = {name: json.loads((RESULTS / f"{name}.json").read_text())
             for name in SUBJECTS if (RESULTS / f"{name}.json").exists()}  # fmt: skip
    PAGE.write_text(page(known), encoding="utf-8")
    draw([row for name in known for row in ratios(known[name]["figures"])])


def machine() -> str:
    """Return the processor and its cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
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


def ratios(figures: Figures, path: tuple[str, ...] = ()) -> list[tuple[str, Figures]]:
    """Return every figure that is a ratio, with its name."""
    if "ratio" in figures:
        return [(": ".join(path), figures)]
    parts = [(name, value) for name, value in figures.items() if isinstance(value, dict)]
    return [row for name, value in parts for row in ratios(value, (*path, name))]


def others(figures: Figures, path: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return every other figure, with its name."""
    if "ratio" in figures:
        return []
    rows = []
    for name, value in figures.items():
        if isinstance(value, dict):
            rows += others(value, (*path, name))
        elif name != "target":
            rows.append((": ".join((*path, name)), f"{value:g}" if isinstance(value, float) else str(value)))
    return rows


def met(figures: Figures) -> bool | None:
    """Whether a ratio reaches its target; None without one."""
    words = str(figures.get("target", "")).split()
    if words[:2] == ["at", "most"]:
        return bool(figures["ratio"] <= float(words[2]))
    return bool(figures["ratio"] >= float(words[2])) if words[:2] == ["at", "least"] else None


def page(known: dict[str, Figures]) -> str:
    """Return the page in Markdown."""
    parts = [_HEAD]
    for name, title in SUBJECTS.items():
        if name not in known:
            continue
        found = known[name]
        parts.append(f"## {title}\n\n`python benchmarks/{name}.py`; {found['machine']}; {_listed(found['versions'])}\n")
        rows = ratios(found["figures"])
        if rows:
            parts.append(
                "| figure | median | quartiles | target | |\n|---|---|---|---|---|\n" + "".join(map(_row, rows))
            )
        facts = others(found["figures"])
        if facts:
            parts.append("| figure | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in facts))
    return "\n".join(parts)


def _row(row: tuple[str, Figures]) -> str:
    name, figures = row
    verdict = {True: "met", False: "**missed**", None: ""}[met(figures)]
    quartiles = " to ".join(f"{value:.3g}" for value in figures.get("quartiles", []))
    return f"| {name} | {figures['ratio']:.3g} | {quartiles} | {figures.get('target', '')} | {verdict} |\n"


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())


def draw(rows: list[tuple[str, Figures]]) -> None:
    """Draw every ratio with a target beside it."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("agg")
    from matplotlib import pyplot  # noqa: PLC0415

    rows = [(name, figures) for name, figures in rows if met(figures) is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(9, 0.36 * len(rows) + 1.2), layout="constrained")
    for place, (_, figures) in enumerate(rows):
        value, low_high = figures["ratio"], figures.get("quartiles", [figures["ratio"]] * 2)
        color = "#1f77b4" if met(figures) else "#ff7f0e"
        axes.barh(place, value, color=color, alpha=0.5, height=0.6)
        axes.plot(low_high, [place, place], color=color, linewidth=3)
        axes.plot([float(figures["target"].split()[2])] * 2, [place - 0.4, place + 0.4], color="#333", linewidth=2)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set(xlabel="ratio (median; the thick line spans the quartiles)")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=color, alpha=0.5) for color in ("#1f77b4", "#ff7f0e")]
    handles.append(pyplot.Line2D([], [], color="#333", linewidth=2))
    axes.legend(handles, ["target met", "target missed", "target"], loc="lower right")
    axes.grid(axis="x", color="#ddd")
    axes.set_axisbelow(True)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


_HEAD = """# Benchmarks

`make bench` measures all of this again and writes this page; the figures stand in `benchmarks/results`. Every ratio is
one of jobs that run in turn in the same run: the median, with the quartiles beside it. The peers are the extra
`[bench]`. A target that is missed says so.

![Every ratio with a target, its quartiles, and the target.](images/benchmarks.png)
"""


if __name__ == "__main__":
    main()
