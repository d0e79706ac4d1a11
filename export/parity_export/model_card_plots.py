"""The plots of a model card: how large the errors are, and how near they come to a decision."""

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.oracle import Oracle
from parity_export.gate.probes import margins
from parity_export.gate.tolerances import groups
from parity_runtime import ModelContract
from parity_runtime.contract import LOGITS
from parity_runtime.printable import counted
from parity_training.reports.figures import BLUE, ORANGE, new_figure, png

ERRORS, MARGINS = "errors.png", "margins.png"

_BINS = 60


_AXES = {
    True: ("distance of the float64 logit from the threshold", "|logit - float64| of onnxruntime"),
    False: ("gap between the two largest float64 logits", "two largest |logit - float64| of onnxruntime, together"),
}
"""What margins.png shows, of one logit or of several."""


def plot_card(contract: ModelContract, oracle: Oracle) -> dict[str, bytes]:
    """Return the plots of a model as PNG by file name; margins.png only for a classifier.

    Args:
        contract: of the model.
        oracle: the probes, torch's outputs and onnxruntime's.
    """
    expected = oracle(len(oracle.probes))
    name = next((spec.name for spec in reversed(contract.outputs) if spec.dtype.startswith("float")), None)
    if name is None:
        return {}
    rows = np.flatnonzero(groups(expected.probes)["ordinary"] & _comparable(expected, name))
    theirs = oracle.onnxruntime(expected.probes.inputs)
    onnxruntime_error = np.abs(theirs[name][rows].astype(np.float64) - expected.float64[name][rows])
    torch_error = np.abs(expected.float32[name][rows].astype(np.float64) - expected.float64[name][rows])
    plots = {ERRORS: _errors(name, onnxruntime_error, torch_error, expected)}
    if contract.is_classifier:
        margin = margins(contract, expected.float64[LOGITS][rows])
        # Two logits can close the gap between them from both sides.
        plots[MARGINS] = _margins(
            margin, np.sort(onnxruntime_error, axis=1)[:, -2:].sum(axis=1), _AXES[contract.task == "binary"]
        )
    return plots


def _comparable(expected: ExpectedOutputs, name: str) -> NDArray[np.bool_]:
    comparable = expected.comparable[name]
    return np.asarray(comparable.reshape(len(comparable), -1).all(axis=1))


def _errors(
    name: str, onnxruntime_error: NDArray[np.float64], torch_error: NDArray[np.float64], expected: ExpectedOutputs
) -> bytes:
    tolerance = expected.reported_tolerances["ordinary"][name]
    allowed = max(tolerance.floor, tolerance.atol)
    smallest, high = allowed * 1e-6, allowed * 2
    bins = np.geomspace(smallest, high, _BINS)
    figure, axes = new_figure()
    for label, error, color in (("onnxruntime", onnxruntime_error, BLUE), ("torch, float32", torch_error, ORANGE)):
        axes.hist(np.clip(error.reshape(-1), smallest, high), bins=bins.tolist(), alpha=0.6, color=color, label=label)
    axes.axvline(allowed, color="#333", linestyle="--", label="allowed, at least")
    axes.set_xscale("log")
    axes.set(xlabel=f"|{name} - float64|", ylabel="values (exact ones at the left edge)")
    axes.set_title(f"Errors of {name} on {counted(len(onnxruntime_error), 'probe')}")
    axes.legend(loc="upper left")
    return png(figure)


def _margins(margin: NDArray[np.float64], error: NDArray[np.float64], labels: tuple[str, str]) -> bytes:
    figure, axes = new_figure()
    low = max(float(error[error > 0].min(initial=1.0)), 1e-12) / 2
    axes.scatter(np.maximum(margin, low), np.maximum(error, low), s=8, color=BLUE, alpha=0.6, linewidth=0)
    span = [low, max(float(margin.max(initial=1.0)), low * 10)]
    axes.plot(span, span, color=ORANGE, label="error = margin: above, a label could flip")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(f"Error against margin on {counted(len(margin), 'probe')}")
    axes.legend(loc="upper left")
    return png(figure)
