"""Graphs that somebody built to be certified wrongly. Each is refused by name, or its error bound holds."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.rounding_model import UNIT
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.contract import binary_logit_threshold, classifier_outputs
from parity_runtime.inference.session import OPTIMIZATIONS, create_session
from tests.proof.arithmetic import Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import Node, certified_graph, value_graph

ONE = np.ones(1, np.float32)


def refused(nodes: list[Node], constants: dict[str, Any], inputs: list[int], match: str, opset: int = 22) -> None:
    graph, contract = value_graph(nodes, constants, inputs, 1)
    model = onnx.load_from_string(graph)
    model.opset_import[0].version = opset
    with pytest.raises(CannotCertifyError, match=match):
        certified_graph(model.SerializeToString(), contract)


def test_an_index_that_a_comparison_chose() -> None:
    nodes: list[Node] = [
        ("Gemm", ["features", "w"], {}),
        ("Greater", ["Gemm0", "zero"], {}),
        ("Where", ["Greater1", "first", "second"], {}),
        ("Squeeze", ["Where2"], {}),
        ("Gather", ["features", "Squeeze3"], {"axis": 1}),
    ]
    constants = {"w": np.ones((3, 1), np.float32), "zero": 0 * ONE, "first": np.array([0]), "second": np.array([1])}
    refused(nodes, constants, [3], "operator Where at node Where2 .it depends on a comparison")


def test_a_subgraph_that_looks_at_a_value() -> None:
    branches = [
        helper.make_graph(
            [helper.make_node(operator, ["features"], ["index"], axis=1, keepdims=0)],
            operator,
            [],
            [helper.make_tensor_value_info("index", TensorProto.INT64, None)],
        )
        for operator in ("ArgMax", "ArgMin")
    ]
    nodes: list[Node] = [
        ("If", ["yes"], {"then_branch": branches[0], "else_branch": branches[1]}),
        ("Gather", ["features", "If0"], {"axis": 1}),
    ]
    refused(nodes, {"yes": np.array(True)}, [3], "operator If at node If0 .it has a subgraph")


def test_a_small_factor_that_a_backend_fuses_into_a_product() -> None:
    nodes: list[Node] = [("Mul", ["features", "c"], {}), ("MatMul", ["Mul0", "w"], {})]
    constants = {"c": np.float32([1e-30]), "w": np.full((2, 1), 1e5, np.float32)}
    refused(nodes, constants, [2], "operator MatMul at node value .the factor 1e-30 before it")


def test_a_large_factor_that_a_backend_fuses_into_a_product() -> None:
    nodes: list[Node] = [("Mul", ["features", "c"], {}), ("MatMul", ["Mul0", "w"], {})]
    graph, contract = value_graph(nodes, {"c": np.float32([1e30]), "w": np.full((1, 1), 1e-5, np.float32)}, [1], 1)
    rows = np.full((1, 1), 1e-34, np.float32)
    bound = create_session(certified_graph(graph, contract)).run(["error_bound"], {"features": rows})[0]
    assert bound[0, 0] > 2e-9  # a backend that flushes 1e-34 times 1e-5 answers 0 instead of 1e-9


MOVES: dict[str, list[Node]] = {
    "Transpose": [("Transpose", ["Mul0"], {"perm": [0, 2, 1]}), ("MatMul", ["Transpose1", "w"], {})],
    "Identity": [("Identity", ["Mul0"], {}), ("MatMul", ["Identity1", "w"], {})],
    "Add": [("Add", ["Mul0", "zero"], {}), ("MatMul", ["Add1", "w"], {})],
    "Sub": [("Sub", ["Mul0", "zero"], {}), ("MatMul", ["Sub1", "w"], {})],
    "Expand": [("Expand", ["Mul0", "shape"], {}), ("MatMul", ["Expand1", "w"], {})],
    "Concat": [("Concat", ["Mul0"], {"axis": 1}), ("MatMul", ["Concat1", "w"], {})],
    "Clip": [("Clip", ["Mul0"], {}), ("MatMul", ["Clip1", "w"], {})],
}


@pytest.mark.parametrize("between", MOVES)
@pytest.mark.parametrize(("factor", "weight", "x"), [(1e-30, 1e20, 1e25), (1e30, 1e-13, 1e-30)])
def test_a_factor_that_a_backend_moves_past_what_only_moves(
    between: str, factor: float, weight: float, x: float
) -> None:
    nodes: list[Node] = [
        ("Mul", ["features", "c"], {}),
        *MOVES[between],
        ("Reshape", ["MatMul2", "flat"], {}),
    ]
    constants = {
        "c": np.float32([factor]),
        "w": np.full((1, 1), weight, np.float32),
        "zero": 0 * ONE,
        "shape": np.array([1, 1, 1]),
        "flat": np.array([-1, 1]),
    }
    graph, contract = value_graph(nodes, constants, [1, 1], 1)
    rows = np.full((1, 1, 1), x, np.float32)
    try:
        certified = certified_graph(graph, contract)
    except CannotCertifyError as error:
        assert "operator MatMul at node MatMul2" in str(error)
        return
    exact = evaluate(graph, {"features": rows}, Exact())["value"]
    bound = create_session(certified).run(["error_bound"], {"features": rows})[0]
    for level in OPTIMIZATIONS:
        for model in (graph, certified):
            found = create_session(model, optimization=level).run(["value"], {"features": rows})[0]
            assert (np.abs(found - exact) <= bound).all(), level


def test_factors_on_both_sides_of_a_product() -> None:
    nodes: list[Node] = [
        ("Mul", ["features", "c"], {}),
        ("MatMul", ["Mul0", "w"], {}),
        ("Mul", ["MatMul1", "c"], {}),
    ]
    constants = {"c": np.float32([1e30]), "w": np.ones((1, 1), np.float32)}
    refused(nodes, constants, [1], "operator Mul at node value .multiplied with the factor before the sum")


def test_factors_whose_product_overflows() -> None:
    """Fused they are infinite, where one after the other is not."""
    nodes: list[Node] = [("Mul", ["features", "c"], {}), ("Div", ["Mul0", "half"], {}), ("MatMul", ["Div1", "w"], {})]
    constants = {"c": np.float32([2.7e38]), "half": np.float32([0.5]), "w": np.ones((1, 1), np.float32)}
    refused(nodes, constants, [1], "operator MatMul at node value .the factors before it, multiplied with one another")


def test_factors_whose_product_is_harmless() -> None:
    nodes: list[Node] = [
        ("Mul", ["features", "small"], {}),
        ("Mul", ["Mul0", "large"], {}),
        ("MatMul", ["Mul1", "w"], {}),
    ]
    constants = {"small": np.float32([1e-30]), "large": np.float32([1e30]), "w": np.ones((1, 1), np.float32)}
    graph, contract = value_graph(nodes, constants, [1], 1)
    bound = create_session(certified_graph(graph, contract)).run(
        ["error_bound"], {"features": np.ones((1, 1), np.float32)}
    )[0]
    assert bound[0, 0] > 1e30 * 2.0**-126  # a backend may flush before it multiplies by 1e30
    constants["small"], constants["large"] = constants["large"], constants["small"]
    refused(nodes, constants, [1], "operator MatMul at node value .the factor 1e-30 before it")


@pytest.mark.parametrize("behind", [[("Mul", ["Conv0", "c"], {})], [("HardSigmoid", ["Conv0"], {"alpha": 1 / 6})]])
def test_a_factor_that_a_backend_folds_into_the_error_bound(behind: list[Node]) -> None:
    """The sum overflows where the factor is applied behind it, and where it is folded into the weights it does not."""
    nodes: list[Node] = [("Conv", ["features", "w"], {}), *behind, ("Reshape", [f"{behind[0][0]}1", "s"], {})]
    constants = {"w": np.full((1, 1, 1), 4, np.float32), "c": np.float32([2.0**-5]), "s": np.array([-1, 1])}
    graph, contract = value_graph(nodes, constants, [1, 1], 1)
    rows = np.full((1, 1, 1), 1e38, np.float32)
    for optimization in OPTIMIZATIONS:
        session = create_session(certified_graph(graph, contract), optimization=optimization)
        assert np.isposinf(session.run(["error_bound"], {"features": rows})[0]), optimization


def test_a_transpose_that_does_nothing() -> None:
    """onnxruntime 1.20 takes it, beside a Gemm, for one that swaps the axes."""
    nodes: list[Node] = [("Gemm", ["features", "w"], {}), ("Transpose", ["Gemm0"], {"perm": [0, 1]})]
    refused(nodes, {"w": np.ones((1, 1), np.float32)}, [1], "operator Transpose at node value .it does nothing")


def test_the_maximum_of_nothing() -> None:
    nodes: list[Node] = [
        ("Slice", ["features", "zero", "zero", "one"], {}),
        ("ReduceMax", ["Slice0", "one"], {"keepdims": 1}),
    ]
    refused(nodes, {"zero": np.array([0]), "one": np.array([1])}, [3], "operator ReduceMax .*the maximum of nothing")


@pytest.mark.parametrize(
    ("nodes", "constants", "match"),
    [
        ([("Reshape", ["c", "s"], {}), ("Add", ["features", "Reshape0"], {})],
         {"c": np.ones((3, 2), np.float32), "s": np.array([5, 1])}, "operator Reshape|shapes contradict"),
        ([("PRelu", ["features", "c"], {})], {"c": np.ones((0,), np.float32)}, "cannot certify"),
        ([("Identity", ["c"], {})], {"c": np.ones((1, 1), np.float32)}, "is not computed from the inputs"),
        ([("Reshape", ["features", "s"], {}), ("Relu", ["Reshape0"], {})],
         {"s": np.array([-1, 7])}, "shapes contradict"),
    ],
)  # fmt: skip
def test_graphs_whose_parts_do_not_fit(nodes: list[Node], constants: dict[str, Any], match: str) -> None:
    refused(nodes, constants, [1], match)


@pytest.mark.parametrize("nodes", [
    [("Relu", ["features"], {}), ("Div", ["Relu0", "c"], {})],
    [("Gemm", ["features", "w"], {}), ("Div", ["Gemm0", "c"], {})],
])  # fmt: skip
def test_a_divisor_whose_reciprocal_is_subnormal(nodes: list[Node]) -> None:
    constants = {"c": np.float32([3e38]), "w": np.full((1, 1), 16, np.float32)}
    refused(nodes, constants, [1], "operator Div at node value")


def test_an_old_opset() -> None:
    refused([("Relu", ["features"], {})], {}, [1], "opset 11; 18 or later", opset=11)


@pytest.mark.parametrize("shape", [(3, 1), (2, 3)])
def test_a_bias_for_each_row(shape: tuple[int, int]) -> None:
    constants = {"w": np.ones((3, 3), np.float32), "b": np.ones(shape, np.float32)}
    refused([("Gemm", ["features", "w", "b"], {})], constants, [3], "operator Gemm at node value .C has the shape")


def test_a_weight_that_a_caller_may_replace() -> None:
    graph, contract = value_graph([("Gemm", ["features", "w"], {})], {"w": np.ones((1, 1), np.float32)}, [1], 1)
    model = onnx.load_from_string(graph)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [1, 1]))
    with pytest.raises(CannotCertifyError, match="operator Gemm at node value .its input 1 is not a float32 constant"):
        certified_graph(model.SerializeToString(), contract)


def test_a_window_in_the_padding_alone() -> None:
    pool = {"kernel_shape": [2], "dilations": [3], "pads": [1, 1]}
    nodes: list[Node] = [("MaxPool", ["features"], pool), ("Reshape", ["MaxPool0", "s"], {})]
    refused(
        nodes, {"s": np.array([0, -1])}, [1, 2], "operator MaxPool at node MaxPool0 .a window may lie in the padding"
    )


def test_a_mean_that_overflows_beside_x() -> None:
    constants = {"s": np.float32([1e-30]), "b": 0 * ONE, "m": np.float32([-3.4e38]), "v": ONE}
    nodes: list[Node] = [("BatchNormalization", ["features", "s", "b", "m", "v"], {})]
    refused(nodes, constants, [1], "x - mean may overflow")


def test_a_variance_that_is_flushed() -> None:
    constants = {"s": ONE, "b": 0 * ONE, "m": 0 * ONE, "v": np.float32([1e-38])}
    nodes: list[Node] = [("BatchNormalization", ["features", "s", "b", "m", "v"], {"epsilon": 1e-38})]
    refused(nodes, constants, [1], "variance is not positive, or subnormal")


def test_a_variance_whose_reciprocal_is_flushed() -> None:
    """onnxruntime 1.20 squares 1 / sqrt(variance)."""
    constants = {"s": ONE, "b": 0 * ONE, "m": 0 * ONE, "v": np.float32([1e38])}
    nodes: list[Node] = [("BatchNormalization", ["features", "s", "b", "m", "v"], {})]
    refused(nodes, constants, [1], "operator BatchNormalization .*its variance is above 2.125")


def test_a_slope_that_is_no_number() -> None:
    refused([("LeakyRelu", ["features"], {"alpha": float("nan")})], {}, [1], "operator LeakyRelu .*not finite")


def test_an_average_of_windows_that_stick_out() -> None:
    pool = {"kernel_shape": [2], "strides": [2], "ceil_mode": 1}
    nodes: list[Node] = [("AveragePool", ["features"], pool), ("Reshape", ["AveragePool0", "s"], {})]
    refused(nodes, {"s": np.array([0, -1])}, [1, 3], "operator AveragePool .*ceil_mode")


def test_a_sum_of_more_numbers_than_float32_counts() -> None:
    nodes: list[Node] = [("ReduceSum", ["features", "axes"], {"keepdims": 1})]
    refused(nodes, {"axes": np.array([1])}, [2**24 - 1], "a sum of 16777215 numbers")


def test_a_graph_that_is_certified_already() -> None:
    graph, contract = value_graph([("Relu", ["features"], {})], {}, [1], 1)
    with pytest.raises(CannotCertifyError, match="is it certified"):
        certified_graph(certified_graph(graph, contract), contract)


def test_a_process_that_flushes_subnormal_numbers() -> None:
    graph, contract = value_graph([("Relu", ["features"], {})], {}, [1], 1)
    torch.set_flush_denormal(True)
    try:
        with pytest.raises(InputError, match="flushes subnormal numbers"):
            certified_graph(graph, contract)
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("sign", [-1.0, np.nan])
def test_an_error_bound_that_is_negative_or_no_number_certifies_nothing(
    monkeypatch: pytest.MonkeyPatch, sign: float
) -> None:
    graph, contract = classifier(0.5, logit=0.0)
    monkeypatch.setattr("parity_export.error_bounds.claims.UNIT", sign * UNIT)
    session = create_session(certified_graph(graph, contract))
    rows = np.random.default_rng(0).uniform(-2, 2, (64, 2)).astype(np.float32)
    bound, certified = session.run(["error_bound", "certified"], {"features": rows})
    assert np.isposinf(bound).all() and not certified.any()


def classifier(threshold: float, logit: float = 0.25) -> tuple[bytes, ModelContract]:
    """A binary graph whose label is made with another threshold than its contract says, or the same."""
    constants = {"w": np.ones((2, 1), np.float32), "t": np.float32(logit), "axis": np.array([1])}
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["features", "w"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["probability"]),
            helper.make_node("Concat", ["probability", "probability"], ["probabilities"], axis=1),
            helper.make_node("Squeeze", ["logits", "axis"], ["column"]),
            helper.make_node("GreaterOrEqual", ["column", "t"], ["positive"]),
            helper.make_node("Cast", ["positive"], ["label"], to=TensorProto.INT64),
        ],
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 2])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2]),
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    contract = ModelContract(
        "g",
        "binary",
        (TensorSpec("features", "float32", ("batch", 2)),),
        classifier_outputs(2),
        classes=("no", "yes"),
        positive="yes",
        threshold=threshold,
        logit_threshold=binary_logit_threshold(threshold),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    return model.SerializeToString(), contract


def test_a_label_of_another_threshold() -> None:
    with pytest.raises(CannotCertifyError, match="the label is not the comparison"):
        certified_graph(*classifier(0.5))


def test_a_bias_that_is_added_last_before_a_normalization() -> None:
    """onnxruntime's SkipLayerNormalization computes (p + q) + c for (p + c) + q, which errs far more here."""
    width, large = 8, 2.0**8
    nodes: list[Node] = [
        ("Slice", ["features", "0", "1", "1"], {}),
        ("Slice", ["features", "1", "2", "1"], {}),
        ("Add", ["Slice0", "c"], {}),
        ("Add", ["Add2", "Slice1"], {}),
        ("LayerNormalization", ["Add3", "g"], {}),
        ("Reshape", ["LayerNormalization4", "flat"], {}),
    ]
    constants = {str(number): np.array([number]) for number in range(3)} | {
        "c": np.full(width, -large, np.float32), "g": np.ones(width, np.float32), "flat": np.array([-1, width])
    }  # fmt: skip
    graph, contract = value_graph(nodes, constants, [2, width], width)
    rows = np.full((20, 2, width), large, np.float32)
    rows[:, 1] = np.random.default_rng(0).uniform(-1, 1, (20, width))
    exact = evaluate(graph, {"features": rows}, Exact())["value"]
    bound = create_session(certified_graph(graph, contract)).run(["error_bound"], {"features": rows})[0]
    found = [create_session(graph, optimization=level).run(["value"], {"features": rows})[0] for level in OPTIMIZATIONS]
    errors = [float(np.abs(value - exact).max()) for value in found]
    assert max(errors) > 50 * min(errors)
    assert np.isfinite(bound).all() and all((np.abs(value - exact) <= bound).all() for value in found)


def test_factors_that_overflow_when_they_are_fused_are_refused() -> None:
    """Onnxruntime multiplies them with one another first: an infinite factor of FusedMatMul times 0 is NaN."""
    factors = {
        "a": np.float32([1.7e38]),
        "b": np.float32([1.7]),
        "c": np.float32(0.6),
        "w": np.full((6, 6), 1e-38, np.float32),
    }
    nodes = [("Mul", ["features", "a"], {}), ("Mul", ["Mul0", "b"], {}), ("Div", ["Mul1", "c"], {})]
    graph, contract = value_graph([*nodes, ("MatMul", ["Div2", "w"], {})], factors, [6], 6)
    assert np.isnan(
        create_session(graph, optimization="all").run(None, {"features": np.zeros((1, 6), np.float32)})[0]
    ).all()
    with pytest.raises(CannotCertifyError, match=r"fused, they may overflow by themselves"):
        certified_graph(graph, contract)
