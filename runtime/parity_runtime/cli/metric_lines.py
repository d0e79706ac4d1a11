"""Metrics as lines that a person reads, with those of the baseline beside them."""

from collections.abc import Mapping
from typing import Any

from parity_runtime.contract import ModelContract
from parity_runtime.evaluation.baseline import MOST_FREQUENT

_SHOWN = 5  # classes
_LEFT_OUT = ("baseline", "targets", "without_target")


def metric_lines(contract: ModelContract, metrics: Mapping[str, Any]) -> list[str]:
    """Return a line for each metric; of several targets, those of each behind those of all."""
    baseline = metrics.get("baseline") or {}
    lines = _table(contract, metrics, baseline)
    for target, own in metrics.get("targets", {}).items():
        constant = {"name": baseline["name"], **baseline["targets"][target]} if baseline else {}
        lines += ["", f"{target}:", *_table(contract, own, constant)]
    return lines


def why_none(contract: ModelContract, metrics: Mapping[str, Any], name: str) -> str:
    """Return why there is no such metric."""
    if name.startswith("poisson_deviance"):
        return "none (a prediction is not above 0, or a true value is below it)"
    missing = [str(label) for label, row in zip(contract.classes, metrics["confusion"], strict=True) if not sum(row)]
    some = ", ".join([*missing[:_SHOWN], *["..."] * (len(missing) > _SHOWN)])
    return f"none (it takes rows of every class; no row is {some})"


def _table(contract: ModelContract, metrics: Mapping[str, Any], baseline: Mapping[str, Any]) -> list[str]:
    shown = {name: value for name, value in metrics.items() if name not in _LEFT_OUT}
    names = max(17, *map(len, shown))
    texts = {
        name: why_none(contract, metrics, name) if value is None else _text(value) for name, value in shown.items()
    }
    if not baseline:
        return [f"{name:<{names}} {text}" for name, text in texts.items()]
    others = {name: _text(baseline[name]) for name in texts if name != "rows" and baseline.get(name) is not None}
    width = max(len("model"), *(len(texts[name]) for name in others)) if others else 0
    lines = [f"{'':<{names}} {'model':<{width}}  {_title(baseline)}"]
    return lines + [f"{name:<{names}} {text:<{width}}  {others.get(name, '')}".rstrip() for name, text in texts.items()]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _title(baseline: Mapping[str, Any]) -> str:
    """Return what a column of a baseline's metrics is headed by."""
    predicted = baseline.get("predicts")
    if baseline["name"] == MOST_FREQUENT:
        return f"always {predicted}"
    return f"training {baseline['name']}" + ("" if predicted is None else f" {_text(predicted)}")
