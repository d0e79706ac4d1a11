"""A contract in words, for ``parity info`` and the model card."""

from parity_runtime.contract import ModelContract


def summarize(contract: ModelContract) -> list[str]:
    """Return the contract as lines that a person reads."""
    lines = [f"{contract.name}: {contract.task}", ""]
    lines += [f"input       {spec}" for spec in contract.inputs]
    lines += [f"output      {spec}" for spec in contract.outputs]
    for feature in contract.features:
        seen = "; {:.4g} to {:.4g} in training".format(*feature.range) if feature.range else ""
        lines.append(f"feature     {feature.name} (missing: {feature.missing}{seen})")
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
        lines.append("certified   the certified graph adds a proven bound of its rounding error to every prediction")
    lines.append(f"needs       onnxruntime {contract.min_onnxruntime} or later")
    return lines + [f"{key:<11} {value}" for key, value in contract.provenance.items() if value is not None]
