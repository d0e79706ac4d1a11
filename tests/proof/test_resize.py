"""Resize: refused where backends may take different elements, and held where they may not."""

from typing import Any

import numpy as np
import pytest

from parity_export.error_bounds import CannotCertifyError
from parity_export.gate.graph_float64 import graph_float64
from parity_export.onnx_graph import OnnxGraph
from parity_runtime.inference.session import OPTIMIZATIONS, create_session
from tests.proof.graphs import certified_graph, value_graph


def resized(size: int, after: int, **attributes: Any) -> tuple[bytes, Any]:
    nodes = [("Resize", ["features", "", "scales"], attributes), ("Reshape", ["Resize0", "flat"], {})]
    constants = {"scales": np.float32([1, 1, after / size, after / size]), "flat": np.array([-1, 8 * after * after])}
    return value_graph(nodes, constants, [8, size, size], 8 * after * after)


@pytest.mark.parametrize("mode", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize(("size", "after"), [(3, 6), (4, 7), (7, 4), (5, 5)])
def test_a_linear_one_holds_at_every_level(mode: str, size: int, after: int) -> None:
    graph, contract = resized(size, after, mode="linear", coordinate_transformation_mode=mode)
    rows = {"features": np.random.default_rng(0).standard_normal((20, 8, size, size)).astype(np.float32)}
    exact, certified = graph_float64(OnnxGraph(graph), ["value"])(rows)["value"], certified_graph(graph, contract)
    for level in OPTIMIZATIONS:
        value, bound = create_session(certified, optimization=level).run(["value", "error_bound"], rows)
        assert (np.abs(value - exact) <= bound).all() and bound.max() < 1e-4


@pytest.mark.parametrize(
    ("size", "after", "mode"), [(5, 6, "asymmetric"), (10, 5, "half_pixel"), (4, 7, "align_corners")]
)
def test_the_nearest_of_two_that_are_as_near_is_refused(size: int, after: int, mode: str) -> None:
    rounding = "round_prefer_floor" if mode != "asymmetric" else "floor"
    with pytest.raises(CannotCertifyError, match="so near to the middle of two elements"):
        certified_graph(*resized(size, after, coordinate_transformation_mode=mode, nearest_mode=rounding))


def test_what_is_no_mean_of_elements_or_of_no_certain_size_is_refused() -> None:
    with pytest.raises(CannotCertifyError, match="its scales give other sizes where they are rounded"):
        certified_graph(*resized(6, 10, mode="linear"))
    for attributes in ({"mode": "cubic"}, {"mode": "linear", "antialias": 1}):
        with pytest.raises(CannotCertifyError, match="operator Resize at node Resize0"):
            certified_graph(*resized(4, 8, **attributes))
