"""Lower precisions: what an evaluation may be off by, which labels stay, and what the command says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from parity_export.error_bounds import CannotCertifyError, propagate_error_bounds
from parity_export.error_bounds.low_precision.low_precision_model import CHANGES, LowPrecisionModel
from parity_export.error_bounds.precision import PRECISIONS
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.inference.session import create_session
from parity_training import XORClassifier
from tests.proof.graphs import value_graph
from tests.proof.lower import UNITS, Lower, evaluations
from tests.proof.test_adjoints import NETWORKS, network, rows_of
from tests.proof.test_norms import WIDTH, _layers, gemm, product

DATA = Path(__file__).parent.parent / "data"
STORED = ("float16", "bfloat16")
REFUSED = {"rounded constants", "masked attention"}
"""Networks of which a constant is computed in the graph, or lies outside of the formats."""


def bounded(graph: bytes, contract: ModelContract, precision: str, inputs: Any, bounds: Any = "tight") -> Any:
    """Return what the graph of a lower precision answers: its values, and how far an evaluation may be from them."""
    low = propagate_error_bounds(OnnxGraph(graph), contract, bounds, PRECISIONS[precision])
    return create_session(low.data).run(["value", "error_bound"], inputs)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_no_evaluation_leaves_its_error_bound(name: str, precision: str) -> None:
    if name in REFUSED and precision in STORED:
        pytest.skip("refused")
    graph, contract = network(name)
    for size in (1.0, 0.05):
        inputs = rows_of(name, size=size)
        (value, bound), (_, fast) = (bounded(graph, contract, precision, inputs, one) for one in ("tight", "fast"))
        assert (bound <= fast * 1.001).all()
        for evaluation in evaluations(precision):
            found = evaluation.evaluate(graph, inputs)["value"]
            error = np.abs(found.astype(np.float64) - value)
            assert (np.isinf(bound) | (error <= bound)).all(), (evaluation, error.max(), bound.max())
