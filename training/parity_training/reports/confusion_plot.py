"""Which classes are taken for which: all of few, the most frequent mistakes of many."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from parity_training.reports.figures import BLUE, GREY, class_names, new_figure

MOST_CELLS = 12  # classes; more cells than that cannot be read with numbers in each
_MOST_PAIRS = 15
_DARK = 0.95  # of a cell: from here on white is told from its blue more easily than black


def draw_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str | int], rows: str) -> Figure:
    """Return the counts of true against predicted classes, and their share of the true class's rows.

    Args:
        confusion: rows by true class and predicted class.
        classes: their labels.
        rows: what they are, such as "held-out rows".
    """
    counts, names = np.array(confusion, np.int64), class_names(classes)
    figure = _cells(counts, names) if len(names) <= MOST_CELLS else _pairs(counts, names)
    figure.suptitle(f"{np.trace(counts)} of {counts.sum()} {rows} are right")
    return figure


def row_rates(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each count in its row, float64 ``[classes, classes]``; 0 in a row without any."""
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def most_confused(counts: NDArray[np.int64], most: int = _MOST_PAIRS) -> list[tuple[int, int]]:
    """Return the pairs of true and predicted class that are mistaken most often, none without a mistake."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [divmod(int(place), len(counts)) for place in order]
    return [pair for pair in pairs if wrong[pair]]


def _cells(counts: NDArray[np.int64], names: Sequence[str]) -> Figure:
    size = len(names)
    longest = max(map(len, names))
    figure, axes = new_figure(max(6, 0.62 * size + 2.5), max(5, 0.5 * size + 2.2))
    rates = row_rates(counts)
    for true, predicted in np.ndindex(counts.shape):
        rate = float(rates[true, predicted])
        axes.add_patch(Rectangle((predicted - 0.5, true - 0.5), 1, 1, facecolor=BLUE, alpha=rate, linewidth=0))
        text = f"{counts[true, predicted]}\n{rate:.0%}" if counts[true, predicted] else "0"
        axes.text(predicted, true, text, ha="center", va="center", fontsize="small" if size > 4 else "medium",
                  color="white" if rate > _DARK else "black" if counts[true, predicted] else GREY)  # fmt: skip
    turned = longest * size > 50
    ticks = range(size)
    axes.set_xticks(ticks, names, rotation=40 if turned else 0, ha="right" if turned else "center",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(ticks, names)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    axes.set(xlabel="predicted class", ylabel="true class (percent: of its rows)")
    axes.tick_params(length=0)
    return figure


def _pairs(counts: NDArray[np.int64], names: Sequence[str]) -> Figure:
    pairs = most_confused(counts)
    figure, axes = new_figure(7, max(2.5, 0.3 * len(pairs) + 1.6))
    if not pairs:
        axes.text(0.5, 0.5, "no class is mistaken for another", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return figure
    _bars(axes, counts, pairs)
    axes.set_yticks(range(len(pairs)), [f"{names[true]} as {names[predicted]}" for true, predicted in pairs])
    axes.invert_yaxis()
    more = np.count_nonzero(counts) - np.count_nonzero(np.diag(counts)) - len(pairs)
    said = f"\n{more} more pairs are not drawn" if more else ""
    figure.supxlabel(f"rows of a class taken for another (percent: of its rows){said}", fontsize="medium")
    return figure


def _bars(axes: Axes, counts: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> None:
    rates, lengths = row_rates(counts), [int(counts[pair]) for pair in pairs]
    bars = axes.barh(range(len(pairs)), lengths, color=BLUE, height=0.7)
    labels = [f"{length} ({rates[pair]:.0%})" for length, pair in zip(lengths, pairs, strict=True)]
    axes.bar_label(bars, labels, padding=4, fontsize="small")
    axes.set_xlim(0, max(lengths) * 1.3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no half of a row
