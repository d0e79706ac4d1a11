"""How far a regression is off."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parity_runtime.printable import counted
from parity_training.reports.figures import BLUE, GREY, ORANGE, class_name, empty_figure, legend_below, new_figure


def draw_predictions(true: NDArray[Any], predicted: NDArray[Any], target: str, title: str) -> Figure:
    """Return a point for each row: its predicted over its true value.

    Args:
        true: float ``[rows]``.
        predicted: float ``[rows]``.
        target: whose values they are.
        title: of the picture.
    """
    figure, axes = new_figure()
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="exact")
    axes.scatter(true, predicted, s=14, color=BLUE, edgecolor="#333", linewidth=0.4, label="a row")
    name = class_name(target)
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
    axes.legend(loc="upper left")
    axes.set_title(title)
    return figure


def draw_residuals(residuals: dict[str, Any]) -> Figure:
    """Return true over predicted values, in groups of rows, and how the differences are spread.

    Args:
        residuals: as in evaluation.json.
    """
    name, groups = class_name(residuals["target"]), residuals["by_prediction"]
    figure = empty_figure(6, 6)
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 2])
    predicted = [group["predicted"] for group in groups]
    ends = [min(predicted), max(predicted)]
    upper.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="exact")
    upper.fill_between(predicted, [group["low"] for group in groups], [group["high"] for group in groups], color=BLUE,
                       alpha=0.2, linewidth=0, label="80 % of the rows")  # fmt: skip
    upper.plot(predicted, [group["true"] for group in groups], color=BLUE, marker="o", markersize=4, label="mean")
    upper.set(xlabel=f"predicted {name}, {counted(len(groups), 'group')} of rows", ylabel=f"true {name}")
    histogram = residuals["histogram"]
    lower.stairs(histogram["counts"], np.array(histogram["edges"]), fill=True, color=BLUE, alpha=0.6)
    lower.axvline(0, color=GREY, linestyle="--", linewidth=1)
    lower.axvline(residuals["quantiles"]["0.5"], color=ORANGE, linewidth=1.5, label="median of the residuals")
    outside = histogram["below"] + histogram["above"]
    said = f" ({counted(outside, 'row')} outside)" if outside else ""
    lower.set(xlabel=f"residual: true less predicted{said}", ylabel="rows")
    legend_below(figure, 2)
    return figure
