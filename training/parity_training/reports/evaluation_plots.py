"""The plots of an evaluation: which classes are mistaken, how rows rank, whether probabilities can be believed."""

import numpy as np
from matplotlib.figure import Figure

from parity_runtime.evaluation.metrics import (
    calibration_bins,
    calibration_error,
    confusion_matrix,
    regression_metrics,
)
from parity_runtime.evaluation.roc_auc import roc_auc
from parity_training.reports.figures import BLUE, GREY, ORANGE, class_name, new_figure
from parity_training.reports.test_predictions import HeldOutPredictions

_MOST_NUMBERED = 12  # classes; more cells than that cannot be read with a number in each
_MOST_CURVES = 10


def draw_confusion(rows: HeldOutPredictions) -> Figure:
    """Return the counts of true against predicted classes."""
    classes = [class_name(label) for label in rows.contract.classes]
    counts = confusion_matrix(rows.true, rows.predicted, len(classes))
    figure, axes = new_figure()
    shown = axes.imshow(counts, cmap="Blues", vmin=0)
    figure.colorbar(shown, ax=axes, label="rows", shrink=0.8)
    if len(classes) <= _MOST_NUMBERED:
        for true, predicted in np.ndindex(counts.shape):
            dark = counts[true, predicted] > counts.max() / 2
            axes.text(predicted, true, str(counts[true, predicted]), ha="center", va="center",
                      color="white" if dark else "black")  # fmt: skip
        axes.set_xticks(range(len(classes)), classes, rotation=45 if max(map(len, classes)) > 8 else 0)
        axes.set_yticks(range(len(classes)), classes)
    by_index = "" if len(classes) <= _MOST_NUMBERED else ", by index"
    axes.set(xlabel=f"predicted class{by_index}", ylabel=f"true class{by_index}")
    axes.set_title(f"{np.trace(counts)} of {counts.sum()} held-out rows are right")
    return figure


def draw_roc(rows: HeldOutPredictions) -> Figure:
    """Return the true against the false positive rate; each class against the rest where there are several."""
    classes, figure_axes = rows.contract.classes, new_figure()
    figure, axes = figure_axes
    chosen = [1] if len(classes) == 2 else range(min(len(classes), _MOST_CURVES))
    for index in chosen:
        positive, score = rows.true == index, rows.probabilities[:, index]
        area = roc_auc(positive, score)
        if area is None:
            continue
        order = np.argsort(-score, kind="stable")
        last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # equal scores are one step
        hits = np.cumsum(positive[order])[last] / positive.sum()
        alarms = np.cumsum(~positive[order])[last] / (~positive).sum()
        color = BLUE if len(classes) == 2 else None
        axes.plot([0, *alarms], [0, *hits], color=color, label=f"{class_name(classes[index])}: area {area:.4f}")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="chance: area 0.5")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")
    axes.set_title(f"ROC of {len(rows.true)} held-out rows")
    return figure


def draw_calibration(rows: HeldOutPredictions) -> Figure:
    """Return how often predictions are right against the probability that they claim."""
    right, confidence = rows.predicted == rows.true, rows.probabilities[np.arange(len(rows.true)), rows.predicted]
    bins = calibration_bins(right, confidence)
    counts, hits, summed = bins[:, bins[0] > 0]
    figure, axes = new_figure()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="as probable as claimed")
    sizes = 20 + 180 * counts / counts.max()
    axes.scatter(
        summed / counts,
        hits / counts,
        s=sizes,
        color=ORANGE,
        edgecolor="#333",
        linewidth=0.6,
        label="a bin (area: rows)",
    )
    lowest = max(0.0, 1 / len(rows.contract.classes) - 0.05)
    axes.set(xlabel="probability of the predicted class", ylabel="fraction that is right", xlim=(lowest, 1.02))
    axes.set_ylim(-0.02, 1.05)
    figure.legend(loc="outside lower center", ncols=2, markerscale=0.6)
    axes.set_title(f"Calibration: expected error {calibration_error(bins):.4f}")
    return figure


def draw_predictions(rows: HeldOutPredictions) -> Figure:
    """Return a regression's predicted against true values."""
    true, predicted = rows.true, rows.outputs[:, 0].numpy()
    metrics = regression_metrics(true, predicted)
    figure, axes = new_figure()
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="exact")
    axes.scatter(true, predicted, s=14, color=BLUE, edgecolor="#333", linewidth=0.4, label="a held-out row")
    name = rows.contract.targets[0]
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}")
    axes.legend(loc="upper left")
    axes.set_title(f"RMSE {metrics['rmse']:.4g}, R2 {metrics['r2']:.4f}")
    return figure
