"""A contract in words, for ``parity info``."""

from collections.abc import Sequence

from parity_runtime.contract import ModelContract
from parity_runtime.feature import Feature, timestamp_text
from parity_runtime.printable import counted, shown

FEW = 8
"""Categories that are written out."""

_MANY = 100  # features that are


def summarize(contract: ModelContract) -> list[str]:
    """Return the contract as lines that a person reads."""
    lines = [f"{contract.name}: {contract.task}", ""]
    lines += [f"input       {spec}" for spec in contract.inputs]
    lines += [f"output      {spec}" for spec in contract.outputs]
    lines += [f"dimension   {name} {text}" for name, text in contract.dimensions.items()]
    lines += _features(contract.features)
    if contract.classes:
        lines.append(f"classes     {', '.join(map(str, contract.classes))}")
    if contract.task == "binary":
        lines.append(f"positive    {contract.positive} (from probability {contract.threshold} on)")
    if contract.thresholds:
        pairs = zip(contract.classes, contract.thresholds, strict=True)
        lines.append(f"labels      {', '.join(f'{label} from probability {least} on' for label, least in pairs)}")
    if contract.unit_norm is not None:
        lines.append(f"vectors     {'of the length 1' if contract.unit_norm else 'of any length'}")
    if contract.targets:
        lines.append(f"targets     {', '.join(contract.targets)}")
    if contract.objective is not None:
        lines.append(f"objective   {contract.objective}")
    lines.append(f"rows        {'independent' if contract.row_independent else 'influence one another'}")
    for name, tolerance in contract.tolerance.items():
        lines.append(f"tolerance   {name}: rtol {tolerance.rtol:.3g}, atol {tolerance.atol:.3g}, "
                     f"floor {tolerance.floor:.3g}")  # fmt: skip
    if "certified" in contract.graphs:
        lines.append("certified   the certified graph adds a proven bound of its rounding error to every prediction")
    if contract.operators:
        lines.append(f"operators   {', '.join(contract.operators)}: outside the ONNX standard; allow each to load it")
    lines.append(f"needs       onnxruntime {contract.min_onnxruntime} or later")
    return lines + [f"{key:<11} {value}" for key, value in contract.provenance.items() if value is not None]


def _features(features: Sequence[Feature]) -> list[str]:
    lines = [f"feature     {feature.name} ({_told(feature)})" for feature in features[:_MANY]]
    more = len(features) - _MANY
    return [*lines, f"            and {more} more features, which contract.json lists"] if more > 0 else lines


def _told(feature: Feature) -> str:
    """Return what a column holds, in a few words."""
    kind = [] if feature.kind == "numeric" else [feature.kind]
    if feature.is_text:
        count = counted(len(feature.categories), "value")
        return f"{feature.kind}; {count} in training: {few_categories(feature)}".removesuffix(": ")
    seen = range_in_training(feature)
    return "; ".join([*kind, f"missing: {feature.missing}", *([f"{seen} in training"] if seen else [])])


def few_categories(feature: Feature) -> str:
    """Return the first categories of a column of text, and how many more there are."""
    names = [shown(text)[1:-1] for text in feature.categories[:FEW]]
    more = len(feature.categories) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def range_in_training(feature: Feature) -> str:
    """Return between which values a column lay in training; empty where that is not known or says nothing."""
    if feature.range is None or feature.kind == "boolean":
        return ""
    if feature.kind == "datetime":
        low, high = (timestamp_text(end).partition("T")[0] for end in feature.range)
        return f"{low} to {high}"
    return "{:.4g} to {:.4g}".format(*feature.range)
