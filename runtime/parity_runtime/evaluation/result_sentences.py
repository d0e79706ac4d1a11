"""What an evaluation says, in a sentence or two: how good a model is, and how good knowing nothing would be."""

from collections.abc import Mapping
from typing import Any

from parity_runtime.arguments import argument
from parity_runtime.contract import ModelContract
from parity_runtime.evaluation.baseline import LAST_VALUE
from parity_runtime.objective import MEAN, MEDIAN, measure_of
from parity_runtime.printable import counted

_MUCH = 2 / 3  # of the rows in one class: from here on, accuracy alone says little
_SHOWN = 5  # classes
_PARTS = {"test": "held-out row", "validation": "validation row", "train": "training row"}


def result_sentences(contract: ModelContract, evaluation: Mapping[str, Any]) -> list[str]:
    """Return what was found, beside the baseline where that says something, and whether training ended too early.

    Args:
        contract: of a classifier, or of a regression.
        evaluation: as evaluation.json holds it, or as `parity_runtime.evaluation.evaluate.evaluate_chunks` returns it.
    """
    rows = counted(evaluation["rows"], _PARTS.get(evaluation.get("part", ""), "row"))
    if contract.is_classifier:
        found = _classes([str(label) for label in contract.classes], evaluation, rows)
    else:
        found = _values(contract.objective, evaluation, rows)
    measure = ("accuracy", "accuracy") if contract.is_classifier else measure_of(contract.objective)
    decided = [*_folds(measure, evaluation.get("folds")), *_threshold(evaluation.get("threshold"))]
    return [found, *decided, *_limit(evaluation.get("ended"))]


def _classes(classes: list[str], evaluation: Mapping[str, Any], rows: str) -> str:
    counts = [sum(row) for row in evaluation["confusion"]]
    baseline, uneven = evaluation.get("baseline"), max(counts) > _MUCH * sum(counts)
    text = f"{evaluation['accuracy']:.2%} of {rows} {'is' if evaluation['rows'] == 1 else 'are'} right"
    beaten = baseline is None or evaluation["accuracy"] > baseline["accuracy"]
    if baseline is not None:
        said = _beside(beaten or bool(evaluation.get("threshold")))  # a goal other than accuracy may give some up
        text += f"{said} {_constant_class(baseline)}: {baseline['accuracy']:.2%}"
    return text + (_recalls(classes, evaluation["confusion"], counts) if uneven or not beaten else "")


def _constant_class(baseline: Mapping[str, Any]) -> str:
    return "repeating the row before" if baseline["name"] == LAST_VALUE else f"always saying {baseline['predicts']}"


def _recalls(classes: list[str], confusion: list[list[int]], counts: list[int]) -> str:
    """Return how many rows of the classes beside the most frequent one are found; of many classes, of the worst."""
    most = counts.index(max(counts))
    others = [index for index, rows in enumerate(counts) if rows and index != most]
    recalls = {index: confusion[index][index] / counts[index] for index in others}
    few = others if len(others) <= _SHOWN else sorted(others, key=lambda index: recalls[index])[:_SHOWN]
    told = ", ".join(f"of {classes[index]}: {recalls[index]:.2%}" for index in few)
    absent = [label for label, rows in zip(classes, counts, strict=True) if not rows][:_SHOWN]
    return (f"; {'recall' if few == others else 'lowest recall'} {told}" if told else "") + (
        f"; no row is {' or '.join(absent)}" if absent else ""
    )


def _values(objective: str | None, evaluation: Mapping[str, Any], rows: str) -> str:
    label, name = measure_of(objective)
    if evaluation.get(name) is None:
        label, name = measure_of(None)
    targets, baseline = evaluation.get("targets"), evaluation.get("baseline")
    text = f"{label} {_number(evaluation[name])}"
    if name in ("rmse", "mae"):
        text += f" and R2 {evaluation['r2']:.4f}"
    text = f"{text} on {rows}" + (f", on average over {counted(len(targets), 'target')}" if targets else "")
    if baseline is None or baseline.get(name) is None:
        return text
    beaten = evaluation[name] < baseline[name]
    return f"{text}{_beside(beaten)} {_constant_value(baseline)}: {label} {_number(baseline[name])}"


def _constant_value(baseline: Mapping[str, Any]) -> str:
    name = baseline["name"]
    if name == LAST_VALUE:
        return "predicting the row before"
    if "targets" in baseline:
        return f"always predicting the training {name} of each"
    comma = "" if name in (MEAN, MEDIAN) else ","
    return f"always predicting the training {name}{comma} {_number(baseline['predicts'])}"


def _number(value: float) -> str:
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def _beside(beaten: bool) -> str:
    return ";" if beaten else ", no better than"


def _folds(measure: tuple[str, str], folds: Mapping[str, Any] | None) -> list[str]:
    """Return the mean and the spread of a metric, by its name for people and its own, over a cross-validation."""
    label, name = measure
    if not folds or name not in folds["metrics"]:
        return []
    found = folds["metrics"][name]
    figures = [f"{found[key]:.2%}" if name == "accuracy" else _number(found[key]) for key in ("mean", "std")]
    return [f"over {folds['count']} folds: {label} {figures[0]}, standard deviation {figures[1]}"]


def _threshold(threshold: Mapping[str, Any] | None) -> list[str]:
    """Return which threshold was chosen, and for what."""
    if not threshold:
        return []
    figures = ", ".join(f"{name} {threshold[name]:.2%}" for name in ("precision", "recall"))
    return [f"threshold {threshold['value']:.4g}, for {threshold['goal']}: on the validation rows {figures}"]


def _limit(ended: Mapping[str, Any] | None) -> list[str]:
    """Return a line where training ended because it was allowed no more epochs."""
    if not ended or ended["by"] != "epochs" or ended["best_epoch"] is None:
        return []
    text = f"training ended at its limit of {counted(ended['epochs'], 'epoch')}"
    if ended["best_epoch"] < ended["epochs"]:
        return [f"{text}; the smallest validation loss was that of epoch {ended['best_epoch']}, which is kept"]
    return [f"{text} while the validation loss was still falling; more {argument('epochs')} may do better"]
