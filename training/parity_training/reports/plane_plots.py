"""The rows of two features in their plane, and what a network says of it."""

from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parity_runtime.printable import counted
from parity_training.fitting.evaluation import in_pieces, outputs_of, predicted_of, probabilities_of
from parity_training.reports.figures import BLUE, CLASS_COLORS, ORANGE, class_name, new_figure
from parity_training.reports.test_predictions import HeldOutPredictions

_GRID_POINTS = 400
_MARGIN = 0.1  # of the extent of the held-out rows, on each side


def draw_samples(rows: HeldOutPredictions) -> Figure:
    """Return the held-out rows of a classifier over two features."""
    figure, axes = new_figure()
    _scatter(axes, rows)
    classes = len(rows.contract.classes)
    told = f" of {classes} classes, coloured by their order" if classes > len(CLASS_COLORS) else ""
    axes.set_title(f"Samples: {counted(len(rows.true), 'row')}{told}")
    axes.grid(visible=True, alpha=0.3)
    return figure


def draw_boundary(rows: HeldOutPredictions) -> Figure:
    """Return the probability (two classes) or the class that a network gives over the plane."""
    extent = [_extent(column) for column in rows.features.T]
    x, y = (np.linspace(*ends, _GRID_POINTS, dtype=np.float32) for ends in extent)
    points = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))  # [grid * grid, 2]
    logits = outputs_of(rows.module, in_pieces([points]))
    figure, axes = new_figure()
    if rows.contract.task == "binary":
        _shade_probability(figure, axes, rows, (x, y), logits)
    else:
        label = predicted_of(logits, None).reshape(_GRID_POINTS, _GRID_POINTS)
        colors = ListedColormap(_colors(len(rows.contract.classes)))
        axes.imshow(label, colors, origin="lower", extent=(*extent[0], *extent[1]), aspect="auto", alpha=0.35,
                    vmin=-0.5, vmax=len(rows.contract.classes) - 0.5, interpolation="nearest")  # fmt: skip
    _scatter(axes, rows)
    axes.set(xlim=extent[0], ylim=extent[1])
    axes.set_title("Decision boundary and samples")
    return figure


def _shade_probability(
    figure: Figure, axes: Axes, rows: HeldOutPredictions, grid: tuple[NDArray[Any], NDArray[Any]], logits: torch.Tensor
) -> None:
    shape = (_GRID_POINTS, _GRID_POINTS)
    probability = probabilities_of(logits)[:, 1].reshape(shape)
    colors = LinearSegmentedColormap.from_list("classes", [BLUE, "white", ORANGE])
    extent = (grid[0][0], grid[0][-1], grid[1][0], grid[1][-1])
    shown = axes.imshow(probability, colors, origin="lower", extent=extent, vmin=0, vmax=1, interpolation="bilinear")
    level = rows.contract.logit_threshold
    margin = logits.numpy().reshape(shape)
    if margin.min() < (level or 0.0) < margin.max():
        axes.contour(*grid, margin, levels=[level], colors="#333", linewidths=1)
    figure.colorbar(shown, ax=axes, label=f"probability of class {rows.contract.positive}", shrink=0.8)


def _extent(column: NDArray[Any]) -> tuple[float, float]:
    known = column[~np.isnan(column)]
    low, high = float(known.min()), float(known.max())
    margin = _MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def _scatter(axes: Axes, rows: HeldOutPredictions) -> None:
    contract = rows.contract
    for index, color in enumerate(_colors(len(contract.classes))):
        chosen = rows.features[rows.true == index]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=14, color=color, edgecolor="#333", linewidth=0.4,
                     label=class_name(contract.classes[index]))  # fmt: skip
    spread = np.nanmax(rows.features, axis=0) - np.nanmin(rows.features, axis=0)
    alike = 0.5 < spread[0] / max(spread[1], 1e-30) < 2
    axes.set(xlabel=contract.features[0].name, ylabel=contract.features[1].name, aspect="equal" if alike else "auto")
    if len(contract.classes) <= len(CLASS_COLORS):
        axes.legend(loc="upper right", framealpha=0.9)


def _colors(count: int) -> list[str]:
    if count <= len(CLASS_COLORS):
        return list(CLASS_COLORS[:count])
    return [to_hex(colormaps["turbo"](index / (count - 1))) for index in range(count)]
