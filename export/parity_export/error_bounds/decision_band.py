"""The picture of what is not certified: a band along the decision boundary of a model with two features."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.gate.bisection import bisect
from parity_export.gate.probe_ranges import ranges, spread, widened
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, LABEL
from parity_runtime.inference.input_validation import Arrays
from parity_training.reports.figures import CLASS_COLORS, class_name, new_figure, png

_GRID = 320
_BAND = "#333333"
_WINDOW = 3.0  # of the band's width, on both sides of the boundary
_HALVINGS = 64  # of a segment: more than float64 has bits
_POINT = "point"

RowAnswers = Callable[[NDArray[np.float64]], Arrays]
Plane = tuple[NDArray[np.float64], NDArray[np.float64]]


def _has_band(contract: ModelContract) -> bool:
    """Whether a model has such a picture: a classifier of two numbers whose ranges are known."""
    known = all(feature.kind == "numeric" and feature.range is not None for feature in contract.features)
    return contract.is_classifier and len(contract.features) == 2 and known


def plot_decision_band(model: CertifiedModel) -> bytes | None:
    """Return the PNG of the plane, and of the band under a magnifying glass.

    Args:
        model: there is no picture, None, unless it classifies by two numbers whose ranges are known, and more than
            one class is seen.
    """
    if not _has_band(model.contract):
        return None
    answers = model.on_rows()
    low, high = spread(ranges(model.contract))
    plane = _plane(*widened((low, high)))
    labels = _labels(answers, plane)
    crossing = _crossing(answers, plane, labels)
    if crossing is None:
        return None
    axis, width = _width(answers, crossing, high - low)
    reach = _WINDOW * width * (high - low) / (high - low)[axis]
    near = _plane(crossing - reach, crossing + reach)
    figure, (left, right) = _figure()
    _draw(left, model, plane, labels)
    left.plot(*crossing, "o", markersize=9, markerfacecolor="none", markeredgecolor="black")
    left.set_title("Labels; the circle is magnified")
    _draw(right, model, near, _labels(answers, near), tuple(crossing))
    right.set_title(f"Not certified: here {2 * width:.1e} wide along {model.contract.columns[axis].name}")
    names = [class_name(label) for label in model.contract.classes]
    patches = [Patch(color=color, alpha=0.5, label=name) for color, name in zip(CLASS_COLORS, names, strict=False)]
    patches.append(Patch(color=_BAND, label="not certified: another class is not excluded"))
    figure.legend(handles=patches, loc="outside lower center", ncols=min(4, len(patches)))
    return png(figure)


def _figure() -> tuple[Figure, list[Axes]]:
    figure, _ = new_figure()
    figure.set_size_inches(10, 5)
    figure.clear()
    return figure, list(figure.subplots(1, 2))


def _plane(low: NDArray[np.float64], high: NDArray[np.float64]) -> Plane:
    x, y = (np.linspace(*ends, _GRID) for ends in zip(low, high, strict=True))
    return x, y


def _labels(answers: RowAnswers, plane: Plane) -> NDArray[np.int64]:
    """Return the label over a plane, ``[y, x]``, and -1 where it is not certified."""
    points = np.stack(np.meshgrid(*plane), axis=-1).reshape(-1, 2)
    found = answers(points)
    labels: NDArray[np.int64] = np.where(found[CERTIFIED], found[LABEL], -1).reshape(_GRID, _GRID)
    return labels


def _crossing(answers: RowAnswers, plane: Plane, labels: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return a point of the boundary near the middle of the plane; None if there is none."""
    changes = np.argwhere((labels[:, 1:] != labels[:, :-1]) & (labels[:, 1:] >= 0) & (labels[:, :-1] >= 0))
    if not len(changes):
        return None
    row, column = changes[np.argmin(np.abs(changes - _GRID / 2).sum(axis=1))]
    start, end = ({_POINT: np.array([[plane[0][column + side], plane[1][row]]])} for side in (0, 1))
    label = labels[row, column]
    before, _ = bisect(start, end, lambda rows: np.asarray(answers(rows[_POINT])[LABEL] == label), _HALVINGS)
    return np.asarray(before[_POINT][0], np.float64)


def _width(answers: RowAnswers, crossing: NDArray[np.float64], spans: NDArray[np.float64]) -> tuple[int, float]:
    """Return the feature along which the band is narrowest, and how far from the boundary it reaches there."""
    steps = np.geomspace(1e-9, 1.0, 400)
    reaches = []
    for axis, span in enumerate(spans):
        moves = np.zeros((len(steps), 2))
        moves[:, axis] = steps * span
        sides = [answers(crossing + sign * moves)[CERTIFIED] for sign in (1, -1)]
        first = max(int(np.argmax(side)) if side.any() else len(steps) - 1 for side in sides)
        reaches.append((steps[first], axis, steps[first] * span))
    _, axis, reach = min(reaches)
    return axis, float(reach)


def _draw(
    axes: Axes, model: CertifiedModel, plane: Plane, labels: NDArray[np.int64], around: Sequence[float] = (0.0, 0.0)
) -> None:
    x, y = plane[0] - around[0], plane[1] - around[1]
    colors = ListedColormap([_BAND, *_lighter(len(model.contract.classes))])
    axes.imshow(labels, colors, origin="lower", extent=(x[0], x[-1], y[0], y[-1]), aspect="auto",
                vmin=-1.5, vmax=len(model.contract.classes) - 0.5, interpolation="nearest")  # fmt: skip
    names = [feature.name for feature in model.contract.columns]
    offsets = [f" {'-' if value > 0 else '+'} {abs(value):.6g}" if value else "" for value in around]
    axes.set(xlabel=f"{names[0]}{offsets[0]}", ylabel=f"{names[1]}{offsets[1]}")
    axes.ticklabel_format(style="sci", scilimits=(-2, 4))


def _lighter(count: int) -> list[str]:
    """Return the classes' colours, half way to white."""
    channels = [[int(color[place : place + 2], 16) for place in (1, 3, 5)] for color in CLASS_COLORS]
    light = ["#" + "".join(f"{(channel + 255) // 2:02x}" for channel in color) for color in channels]
    return [light[index % len(light)] for index in range(count)]
