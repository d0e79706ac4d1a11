"""What speaks for a package beside its graph: vectors, the model card, pictures."""

import importlib.util
from collections.abc import Sequence

from onnx import numpy_helper

from parity_export.card import model_card
from parity_export.gate.judging import Verdict
from parity_export.proof.certified_model import CertifiedModel
from parity_export.proof.claim import Proof
from parity_export.vectors import make_conformance
from parity_runtime import InputError, ModelContract
from parity_runtime.conformance import OrdinaryVectors
from parity_runtime.jsonfile import dump_json
from parity_runtime.package import CARD, CONFORMANCE

TEST_DATA, BAND = "test_data_set_0", "band.png"


def evidence(
    contract: ModelContract, verdict: Verdict, proof: Proof | None, pictured: Sequence[str]
) -> dict[str, bytes]:
    """Return the files that speak for a package: vectors and the model card.

    Args:
        contract: of the model, measured.
        verdict: of the gate that it passed.
        proof: what is proven; None without a certified graph.
        pictured: the pictures' file names.
    """
    if verdict.expectation is None:
        raise InputError("a graph that was not compared has no evidence")
    conformance = make_conformance(contract, verdict.expectation)
    card = model_card(contract, verdict.report, proof, pictured)
    verdict.expectation.release()
    return {CONFORMANCE: dump_json(conformance.to_json()), CARD: card} | _test_data(conformance.ordinary)


def pictures(contract: ModelContract, verdict: Verdict, proof: Proof | None) -> dict[str, bytes]:
    """Return the card's pictures by file name; none where the [plot] extra is not installed."""
    if not _can_draw() or verdict.expectation is None:
        return {}
    from parity_export.pictures import card_pictures  # noqa: PLC0415 -- needs the [plot] extra

    drawn = card_pictures(contract, verdict.expectation)
    return drawn if proof is None else band(proof.model) | drawn


def band(model: CertifiedModel) -> dict[str, bytes]:
    """Return the picture of what is not certified by its file name; none without the [plot] extra, or two features."""
    if not _can_draw():
        return {}
    from parity_export.proof.band import band_picture  # noqa: PLC0415 -- needs the [plot] extra

    picture = band_picture(model)
    return {} if picture is None else {BAND: picture}


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _test_data(vectors: OrdinaryVectors) -> dict[str, bytes]:
    """Return the ordinary vectors as files of the ONNX backend-test layout."""
    return {
        f"{TEST_DATA}/{side}_{index}.pb": numpy_helper.from_array(array, name).SerializeToString(deterministic=True)
        for side, arrays in (("input", vectors.inputs), ("output", vectors.outputs))
        for index, (name, array) in enumerate(arrays.items())
    }
