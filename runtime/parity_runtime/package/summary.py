"""A contract in words, for ``parity info`` and the model card."""

from parity_runtime.contract import ModelContract
from parity_runtime.feature import Feature
from parity_runtime.moment_text import moment_text


def summarize(contract: ModelContract) -> list[str]:
    """Return the contract as lines that a person reads."""
    lines = [f"{contract.name}: {contract.task}", ""]
    lines += [f"input       {spec}" for spec in contract.inputs]
    lines += [f"output      {spec}" for spec in contract.outputs]
    lines += [f"feature     {feature.name} ({_told(feature)})" for feature in contract.features]
    if contract.classes:
        lines.append(f"classes     {', '.join(map(str, contract.classes))}")
    if contract.task == "binary":
        lines.append(f"positive    {contract.positive} (from probability {contract.threshold} on)")
    if contract.targets:
        lines.append(f"targets     {', '.join(contract.targets)}")
    lines.append(f"rows        {'independent' if contract.row_independent else 'influence one another'}")
    for name, tolerance in contract.tolerance.items():
        lines.append(f"tolerance   {name}: rtol {tolerance.rtol:.3g}, atol {tolerance.atol:.3g}, "
                     f"floor {tolerance.floor:.3g}")  # fmt: skip
    if "certified" in contract.graphs:
        lines.append("certified   every answer can carry its proven rounding error (--certified)")
    lines.append(f"needs       onnxruntime {contract.min_onnxruntime} or later")
    return lines + [f"{key:<11} {value}" for key, value in contract.provenance.items() if value is not None]


def _told(feature: Feature) -> str:
    """Return a feature's kind, unless it is numeric, what is done with a missing cell, and what training has seen."""
    kind = "" if feature.kind == "numeric" else f"{feature.kind}; "
    if feature.is_text:
        count = len(feature.categories)
        return f"{kind}missing: {feature.missing}; {count} {'category' if count == 1 else 'categories'} in training"
    if feature.range is None:
        return f"{kind}missing: {feature.missing}"
    low, high = map(moment_text, feature.range) if feature.kind == "datetime" else map("{:.4g}".format, feature.range)
    return f"{kind}missing: {feature.missing}; {low} to {high} in training"
