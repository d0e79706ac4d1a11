"""The files of a package beside its graph: test vectors, the model card, plots."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from onnx import numpy_helper

from parity_export.error_bounds.bound_report import BoundReport
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.gate.run_gate import GateResult
from parity_export.model_card import model_card
from parity_export.select_test_vectors import select_test_vectors
from parity_runtime import InputError, ModelContract
from parity_runtime.files.json_file import dump_json
from parity_runtime.package.manifest import CARD, CONFORMANCE
from parity_runtime.verification.test_vectors import OrdinaryVectors

TEST_DATA, PLOTS, BAND = "test_data_set_0", "plots", "band.png"


def artifacts(
    contract: ModelContract,
    gate_result: GateResult,
    bound_report: BoundReport | None,
    plotted: Sequence[str],
    evaluation: Mapping[str, Any],
) -> dict[str, bytes]:
    """Return the test vectors and the model card, by their paths in the package.

    Args:
        contract: of the model, measured.
        gate_result: of the gate that it passed.
        bound_report: what is proven; None without a certified graph.
        plotted: the pictures' paths in the package.
        evaluation: what its run knows of held-out rows; empty where nobody knows.
    """
    if gate_result.oracle is None:
        raise InputError("a graph that was not compared has no test vectors")
    try:
        conformance = select_test_vectors(contract, gate_result.oracle, gate_result.report.largest("ordinary"))
    except InputError as error:
        raise InputError(gate_result.with_notes(str(error))) from error
    card = model_card(contract, gate_result.report, bound_report, plotted, gate_result.notes, evaluation)
    gate_result.oracle.release()
    return {CONFORMANCE: dump_json(conformance.to_json()), CARD: card} | _test_data(conformance.ordinary)


def plots(contract: ModelContract, gate_result: GateResult, bound_report: BoundReport | None) -> dict[str, bytes]:
    """Return the card's plots by their paths in the package; none where the [plot] extra is not installed."""
    if not _can_draw() or gate_result.oracle is None:
        return {}
    from parity_export.model_card_plots import plot_card  # noqa: PLC0415 -- needs the [plot] extra

    drawn = plot_card(contract, gate_result.oracle)
    if bound_report is not None:
        drawn = band(bound_report.model) | drawn
    return {f"{PLOTS}/{name}": picture for name, picture in drawn.items()}


def band(model: CertifiedModel) -> dict[str, bytes]:
    """Return the picture of what is not certified by its file name; none without the [plot] extra, or two features."""
    if not _can_draw():
        return {}
    from parity_export.error_bounds.decision_band import plot_decision_band  # noqa: PLC0415 -- needs the [plot] extra

    picture = plot_decision_band(model)
    return {} if picture is None else {BAND: picture}


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _test_data(vectors: OrdinaryVectors) -> dict[str, bytes]:
    """Return the ordinary test vectors as files of the ONNX backend-test layout."""
    return {
        f"{TEST_DATA}/{side}_{index}.pb": numpy_helper.from_array(array, name).SerializeToString(deterministic=True)
        for side, arrays in (("input", vectors.inputs), ("output", vectors.outputs))
        for index, (name, array) in enumerate(arrays.items())
    }
