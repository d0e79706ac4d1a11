"""What a network looks at: the importance of its features, and what it predicts for their values."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from parity_runtime.printable import counted
from parity_training.reports.figures import (
    BLUE,
    CLASS_COLORS,
    GREY,
    class_names,
    empty_figure,
    legend_below,
    new_figure,
)

_MOST_BARS = 20
_LONG = 8  # characters
_MARGIN = 0.05  # of an axis, beyond what it shows
_MOST_TICKS = 5  # small numbers are long ones, such as -0.0025
METRIC_NAMES = {"log_loss": "log loss", "rmse": "RMSE", "mae": "mean absolute error", "pinball_loss": "pinball loss",
                "poisson_deviance": "Poisson deviance"}  # fmt: skip


def draw_importance(importance: dict[str, Any]) -> Figure:
    """Return by how much a metric grows where a feature is shuffled, a bar for each of the best 20.

    Args:
        importance: as in evaluation.json.
    """
    shown = importance["features"][:_MOST_BARS]
    names = class_names([one["name"] for one in shown])
    figure, axes = new_figure(6, max(2.2, 0.28 * len(shown) + 1.4))
    errors = [one["std"] or 0.0 for one in shown]
    axes.barh(names, [one["mean"] for one in shown], xerr=errors, color=BLUE, height=0.7,
              error_kw={"ecolor": GREY, "elinewidth": 1})  # fmt: skip
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS))
    axes.axvline(0, color="black", linewidth=0.8)
    more = len(importance["features"]) - len(shown) + importance["left_out"]
    said = f"\n{more} that matter less are not drawn" if more else ""
    metric = METRIC_NAMES.get(importance["metric"], importance["metric"])
    wide = max(map(len, names)) > _LONG  # beside them the label is wider than its axis
    axes.set_xlabel(f"growth of {metric} where a feature is shuffled{said}", loc="right" if wide else "center")
    axes.set_title(f"Importance, by {counted(importance['rows'], 'row')}")
    return figure


def draw_dependences(partial: dict[str, Any]) -> Figure:
    """Return the partial dependence of all features that were followed, a panel each.

    Args:
        partial: as ``partial_dependence`` of evaluation.json.
    """
    features = partial["features"]
    columns = 2 if len(features) > 1 else 1
    rows = math.ceil(len(features) / columns)
    figure = empty_figure(4 * columns + 1, 2.8 * rows + 0.6)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, feature in zip(panels.flat, features, strict=False):
        _panel(axes, feature, partial["of"])
    for axes in panels.flat[len(features) :]:
        axes.set_axis_off()
    if len(features[0]["outputs"]) > 1:
        legend_below(figure, 2)
    return figure


def draw_dependence(partial: dict[str, Any], place: int) -> Figure:
    """Return the partial dependence of one of the features that were followed."""
    figure, axes = new_figure(6, 4)
    _panel(axes, partial["features"][place], partial["of"])
    axes.set_ylim(*_extent(partial))
    if len(partial["features"][place]["outputs"]) > 1:
        legend_below(figure, 2)
    return figure


def _extent(partial: dict[str, Any]) -> tuple[float, float]:
    """Return the ends of the axis of all features: with its own, one that changes nothing looks like one that does."""
    outputs = [output for feature in partial["features"] for output in feature["outputs"]]
    means = [mean for output in outputs for mean in output["means"] if mean is not None]
    low, high = min(means, default=0.0), max(means, default=0.0)
    margin = _MARGIN * (high - low) or 0.5
    return low - margin, high + margin


def _panel(axes: Axes, feature: dict[str, Any], of: str) -> None:
    labels = [output.get("class", output.get("target")) for output in feature["outputs"]]
    for name, output, color in zip(class_names(labels), feature["outputs"], CLASS_COLORS, strict=False):
        _draw(axes, feature, output["means"], color, name)
    axes.set_xlabel(class_names([feature["name"]])[0])
    single = f" of {class_names(labels)[0]}" if len(labels) == 1 else ""
    axes.set_ylabel(f"mean {of}{single}", fontsize="small")


def _draw(axes: Axes, feature: dict[str, Any], means: list[float], color: str, label: str) -> None:
    if feature["kind"] == "datetime":
        dates = date2num(np.array(feature["values"], "datetime64[h]"))  # type: ignore[no-untyped-call]
        axes.plot(dates, means, color=color, label=label, marker="o", markersize=3)
        locator = AutoDateLocator(minticks=3)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    elif feature["kind"] == "numeric":
        axes.plot(feature["values"], means, color=color, label=label, marker="o", markersize=3)
        axes.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS))
    else:
        names = class_names([_cell(feature, value) for value in feature["values"]])
        axes.plot(range(len(names)), means, color=color, label=label, marker="o", linestyle="none", markersize=7)
        turned = sum(map(len, names)) > 24
        axes.set_xticks(range(len(names)), names, rotation=35 if turned else 0, ha="right" if turned else "center",
                        rotation_mode="anchor", fontsize="small" if turned else "medium")  # fmt: skip
        axes.set_xlim(-0.6, len(names) - 0.4)


def _cell(feature: dict[str, Any], value: Any) -> str:
    if feature["kind"] == "boolean":
        return "true" if value else "false"
    return "(missing)" if value is None else str(value)
