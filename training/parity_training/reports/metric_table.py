"""The metrics of an evaluation, beside those of its baseline, and what is said of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from parity_runtime import ModelContract
from parity_runtime.evaluation.result_sentences import result_sentences

_MEANINGS = {
    "accuracy": "share of the rows that are predicted correctly; 1 is best",
    "balanced_accuracy": "mean of the classes' recalls; 1 is best",
    "log_loss": "mean cross-entropy in nats; 0 is best",
    "brier": "mean squared error of the probabilities; 0 is best",
    "precision": "of the rows that are predicted as a class, the share that are of it; 1 is best",
    "recall": "of the rows of a class, the share that are found; 1 is best",
    "f1": "harmonic mean of precision and recall; 1 is best",
    "roc_auc": "area under the ROC curve; 1 is best, 0.5 is chance",
    "average_precision": "area under precision over recall; 1 is best",
    "calibration_error": "mean difference of the predicted class's probability and how often it is right; 0 is best",
    "tn": "negative rows that are predicted as negative",
    "fp": "negative rows that are predicted as positive",
    "fn": "positive rows that are predicted as negative",
    "tp": "positive rows that are predicted as positive",
    "mae": "mean absolute error, in the target's unit; 0 is best",
    "median_absolute_error": "median absolute error, in the target's unit; 0 is best",
    "rmse": "root of the mean squared error, in the target's unit; 0 is best",
    "r2": "share of the variance that is explained; 1 is best, 0 is the mean",
    "pinball_loss": "loss of a quantile, in the target's unit; 0 is best",
    "poisson_deviance": "mean deviance of a Poisson rate; 0 is best",
}
_TILES = ("accuracy", "balanced_accuracy", "roc_auc", "f1", "pinball_loss", "poisson_deviance", "rmse", "mae", "r2")
_MOST_TILES = 4
_NOT_METRICS = {"rows", "threshold", "temperature"}


class Metric(NamedTuple):
    """A row of the table: its name, what it means, and whether the baseline has it."""

    name: str
    meaning: str
    in_baseline: bool


def metrics_in(evaluation: Mapping[str, Any]) -> list[Metric]:
    """Return the metrics of an evaluation, in its order: those that were computed."""
    baseline = _baseline(evaluation)
    return [
        Metric(name, _MEANINGS.get(name, ""), _is_number(baseline.get(name)))
        for name, value in evaluation.items()
        if _is_number(value) and name not in _NOT_METRICS
    ]


def tiles_in(evaluation: Mapping[str, Any]) -> list[Metric]:
    """Return the few metrics that a page begins with."""
    found = {metric.name: metric for metric in metrics_in(evaluation)}
    return [found[name] for name in _TILES if name in found][:_MOST_TILES]


def verdict(evaluation: Mapping[str, Any], contract: ModelContract) -> list[str]:
    """Return how good a model is in sentences, beside its baseline where that is known; none of a task without them."""
    if not metrics_in(evaluation):
        return []
    # How training ended is another matter, and its sentence names what a caller can change.
    return result_sentences(contract, {name: value for name, value in evaluation.items() if name != "ended"})


def caveat(evaluation: Mapping[str, Any]) -> str:
    """Return what a reader of the metrics must know of the rows that they were measured on."""
    return {
        "train": "No rows were held out: these are the rows that the network was trained on, and on others it is as "
        "good as this or worse.",
        "validation": "No test rows were held out: these rows decided when training stopped, and on others the network "
        "may be a little worse.",
    }.get(str(evaluation.get("part")), "")


def _baseline(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    found = evaluation.get("baseline")
    return found if isinstance(found, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
