"""The plots of docs/reference/benchmarks.md: ratios beside their targets, and growth."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from pages import Figures, is_figure, met, series, value, walk

mpl.use("agg")
from matplotlib import pyplot as plt

_MET, _MISSED = "#1f77b4", "#d62728"


def draw(known: dict[str, Figures], folder: Path) -> None:
    """Draw benchmarks.png and growth.png of what ``benchmarks/results`` keeps."""
    subjects = [found["figures"] for found in known.values()]
    _save(_targets([row for found in subjects for row in walk(found)]), folder / "benchmarks.png")
    growing = [item for found in subjects for item in series(found).items() if _grows(item[0])]
    _save(_growth(growing), folder / "growth.png")


def _grows(title: str) -> bool:
    """Whether a series is one of sizes; one by network has no order."""
    return " by " in title and " by network" not in title


def _targets(nodes: list[tuple[str, Any]]) -> Any:
    rows = [row for row in nodes if is_figure(row[1]) and "ratio" in row[1] and _fits(row[1])][::-1]
    figure, axes = plt.subplots(figsize=(10, 0.32 * len(rows) + 1.3), layout="constrained")
    axes.set(xscale="log", xlim=(0.02, 40), ylim=(-0.6, len(rows) - 0.4))
    for place, (_, figures) in enumerate(rows):
        _, side, target = figures["target"].split()
        limit, color = float(target), _MET if met(figures) else _MISSED
        allowed = (0.005, limit) if side == "most" else (limit, 20)
        axes.fill_between(allowed, place - 0.4, place + 0.4, color="#2ca02c", alpha=0.15, linewidth=0)
        axes.plot([limit] * 2, [place - 0.4, place + 0.4], color="#2ca02c", linewidth=2)
        quartiles = figures.get("quartiles", [value(figures)] * 2)
        axes.plot(quartiles, [place, place], color=color, linewidth=3, solid_capstyle="butt")
        axes.plot(value(figures), place, "o" if met(figures) else "X", color=color, markersize=7)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.set_xticks([0.01, 0.1, 0.5, 1, 2, 5, 10], ["0.01", "0.1", "0.5", "1", "2", "5", "10"])
    told = "ratio, logarithmic; line: quartiles\ngreen: where the target lies; dot: met, cross: missed"
    axes.set_xlabel(told, fontsize=8)
    axes.grid(axis="x", color="#ddd")
    axes.set_axisbelow(True)
    return figure


def _fits(figures: Figures) -> bool:
    """Whether a figure has a target, and one that a logarithmic axis of ratios shows."""
    return met(figures) is not None and 0 < float(figures["target"].split()[2]) < 20


def _growth(groups: list[tuple[str, dict[str, dict[str, float]]]]) -> Any:
    figure, grid = plt.subplots(2, -(-len(groups) // 2), figsize=(10, 6.5), layout="constrained", squeeze=False)
    for axes, (title, columns) in zip(grid.flat, groups, strict=False):
        for name, column in columns.items():
            axes.plot(range(len(column)), list(column.values()), "o-", label=name)
        sizes = list(next(iter(columns.values())))
        axes.set_xticks(range(len(sizes)), [_power(size) for size in sizes], fontsize=8)
        axes.set(title=title, yscale="log")
        axes.title.set_fontsize(9)
        axes.grid(axis="y", color="#ddd")
        axes.legend(fontsize=8)
    for axes in grid.flat[len(groups) :]:
        axes.remove()
    return figure


def _power(size: str) -> str:
    return f"$10^{len(size) - 1}$" if size.isdigit() and int(size) >= 1000 else size


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
