"""Whether probabilities can be believed, with the rows that say so."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parity_training.reports.figures import GREY, MORE_COLORS, class_names, empty_figure, legend_below

_SMALLEST, _LARGEST = 8, 90  # areas of a point: of one row, and of the most
_JOINED = 10  # rows of a bin: what fewer say is chance


def draw_calibration(calibration: dict[str, Any]) -> Figure:
    """Return how often a class comes against the probability that it is given, and under it how many rows say so.

    Args:
        calibration: as in evaluation.json.
    """
    shown = calibration["classes"]
    names = class_names([one["class"] for one in shown])
    lines = [(name, one, color) for name, one, color in zip(names, shown, MORE_COLORS, strict=False)]
    if len(shown) > 1:
        lines.append(("the predicted class", calibration["predicted_class"], "black"))
    figure = empty_figure(6, 5.2 + 0.12 * len(lines))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as often as claimed")
    most = max(rows for _, one, _ in lines for rows, *_ in one["bins"])
    for name, one, color in lines:
        _line(upper, one, color, f"{name}: error {one['error']:.4f}", most)
    _counts(lower, lines, calibration["bins"])
    if calibration["left_out"]:
        upper.plot([], [], linestyle="none", label=f"{calibration['left_out']} classes with smaller errors: not drawn")
    upper.set(ylabel="fraction of the rows", xlim=(-0.03, 1.03), ylim=(-0.05, 1.05))
    upper.set_title(f"Calibration: a line joins bins of {_JOINED} rows or more")
    lower.set(xlabel="probability", ylabel="rows")
    legend_below(figure, 1 if len(lines) < 4 else 2)
    return figure


def _line(axes: Axes, told: dict[str, Any], color: str, label: str, most: int) -> None:
    rows, probability, fraction = map(np.array, zip(*told["bins"], strict=True))
    many = rows >= _JOINED
    axes.plot(probability[many], fraction[many], color=color, linewidth=1, label=label)
    sizes = _SMALLEST + (_LARGEST - _SMALLEST) * rows / most
    axes.scatter(probability, fraction, s=sizes, color=color, linewidth=0, alpha=0.7)


def _counts(axes: Axes, lines: list[tuple[str, dict[str, Any], str]], bins: int) -> None:
    edges = np.linspace(0, 1, bins + 1)
    for _, told, color in lines:
        counts = np.zeros(bins)
        for rows, probability, _ in told["bins"]:
            counts[min(np.searchsorted(edges[1:-1], probability), bins - 1)] += rows
        if len(lines) == 1:
            axes.stairs(counts, edges, color=color, fill=True, alpha=0.5)
        else:
            axes.stairs(counts, edges, color=color, baseline=None)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, None)
