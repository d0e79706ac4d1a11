"""How rows rank by the probability of a class: ROC and precision over recall, as evaluation.json keeps them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from parity_runtime.printable import counted
from parity_training.reports.figures import BLUE, GREY, MORE_COLORS, class_names, legend_below, new_figure

_THICKEST, _THINNEST = 4.0, 1.3  # points: of curves upon one another each is seen
_LINE = 0.22  # inches of the legend
_NAMED = 3


def draw_roc(curves: dict[str, Any]) -> Figure:
    """Return the true against the false positive rate of each class against the rest.

    Args:
        curves: as ``curves`` of evaluation.json.
    """
    figure, axes = _new(curves["roc"])
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance: area 0.5")
    _draw(axes, curves["roc"], steps=False)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.set_title(f"ROC of {counted(curves['rows'], 'row')}")
    legend_below(figure)
    return figure


def draw_precision_recall(curves: dict[str, Any]) -> Figure:
    """Return the precision over the recall of each class against the rest.

    Args:
        curves: as ``curves`` of evaluation.json.
    """
    told, rows = curves["precision_recall"], curves["rows"]
    figure, axes = _new(told)
    if len(told["classes"]) == 1:
        share = told["classes"][0]["rows"] / rows
        axes.plot([0, 1], [share, share], color=GREY, linestyle="--", linewidth=1, label=f"chance: {share:.3g}")
    _draw(axes, told, steps=True)
    axes.set(xlabel="recall", ylabel="precision")
    axes.set_title(f"Precision and recall of {counted(rows, 'row')}")
    legend_below(figure)
    return figure


def _new(told: dict[str, Any]) -> tuple[Figure, Axes]:
    figure, axes = new_figure(6, 4.4 + _LINE * (len(told["classes"]) + 3))
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    return figure, axes


def _draw(axes: Axes, told: dict[str, Any], *, steps: bool) -> None:
    shown = told["classes"]
    names = class_names([curve["class"] for curve in shown])
    widths = np.linspace(_THICKEST, _THINNEST, len(shown)) if len(shown) > 1 else [1.8]
    colors = [BLUE] if len(shown) == 1 else MORE_COLORS
    for curve, name, width, color in zip(shown, names, widths, colors, strict=False):
        x, y = zip(*curve["points"], strict=True)
        axes.plot(x, y, color=color, linewidth=width, drawstyle="steps-pre" if steps else "default",
                  label=f"{name}: area {curve['area']:.4f}, {counted(curve['rows'], 'row')}")  # fmt: skip
    if "mean" in told:
        x, y = zip(*told["mean"]["points"], strict=True)
        label = f"mean of {told['mean']['classes']} classes: area {told['mean']['area']:.4f}"
        axes.plot(x, y, color="black", linewidth=1.8, label=label)
    for line in left_out(told):
        axes.plot([], [], linestyle="none", label=line)


def left_out(told: dict[str, Any]) -> list[str]:
    """Return what the curves of one kind do not show, a line each."""
    lines = []
    if told["left_out"]:
        lines.append(f"{told['left_out']} more with larger areas are not drawn")
    if told["undefined"]:
        names = class_names(told["undefined_classes"][:_NAMED])
        more = told["undefined"] - len(names)
        said = f" and {more} more" if more else ""
        lines.append(f"no curve where a class has every row or none: {', '.join(names)}{said}")
    return lines
