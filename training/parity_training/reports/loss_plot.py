"""How a training went: its losses, what was measured on the validation rows, and the epoch that was kept."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator, PercentFormatter

from parity_training.reports.figures import BLUE, GREY, ORANGE, empty_figure, legend_below

_FEW = 20  # epochs whose points are marked
_NOT_METRICS = ("epoch", "loss", "validation_loss")


class _PlainLog(LogFormatter):
    """Names the ticks that matplotlib would, in plain decimals."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def kept_epoch(lines: Sequence[dict[str, Any]], evaluation: dict[str, Any]) -> int | None:
    """Return the epoch whose weights a run holds: as the evaluation says, else that of the smallest validation loss.

    None without validation rows: the last one is kept then.
    """
    ended = evaluation.get("ended")
    if isinstance(ended, dict) and type(ended.get("best_epoch")) is int:
        return int(ended["best_epoch"])
    if lines[0]["validation_loss"] is None:
        return None
    return int(min(lines, key=lambda line: (line["validation_loss"], line["epoch"]))["epoch"])


def loss_label(training: dict[str, Any], task: str) -> str:
    """Return what the losses of a recipe's training are."""
    unit = "\nof the standardized target" if task == "regression" else ""
    return f"mean {training.get('loss')}{unit}"


def draw_loss(lines: Sequence[dict[str, Any]], loss: str, kept: int | None) -> Figure:
    """Return the loss of each epoch on a logarithmic axis, and under it the metric of the validation rows.

    Args:
        lines: of metrics.jsonl.
        loss: what the losses are.
        kept: the epoch whose weights are kept; None says nothing of it.
    """
    metrics = [name for name in lines[0] if name not in _NOT_METRICS] if lines[0]["validation_loss"] is not None else []
    figure = empty_figure()
    rows = figure.subplots(1 + bool(metrics), 1, sharex=True, height_ratios=[2, 1][: 1 + bool(metrics)], squeeze=False)
    axes = [row[0] for row in rows]
    _plot(axes[0], lines, "loss", BLUE, "loss of the training rows")
    if metrics:
        _plot(axes[0], lines, "validation_loss", ORANGE, "loss of the validation rows")
        _plot(axes[1], lines, metrics[0], ORANGE, None)
        _metric_axis(axes[1], metrics[0])
    if all(line[name] > 0 for line in lines for name in ("loss", "validation_loss") if line[name] is not None):
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_formatter(_PlainLog())
        axes[0].yaxis.set_minor_formatter(_PlainLog())
    for one in axes if kept is not None else ():
        one.axvline(kept or 0, color=GREY, linewidth=1, label=f"the weights of epoch {kept} are kept")
    axes[0].set_ylabel(loss)
    axes[0].set_title("Training")
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, 2)
    return figure


def _plot(axes: Axes, lines: Sequence[dict[str, Any]], name: str, color: str, label: str | None) -> None:
    epochs = [line["epoch"] for line in lines]
    marker = "o" if len(lines) <= _FEW else ""
    axes.plot(epochs, [line[name] for line in lines], marker=marker, color=color, label=label, markersize=3)


def _metric_axis(axes: Axes, name: str) -> None:
    axes.set_ylabel(f"{name},\nvalidation")
    if name == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
