"""An ONNX graph as the module that it is judged by: node by node, in float32 and in float64, and by the gate."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from parity_export import OutputSpec, check_model, source_from_module
from parity_export.gate.monte_carlo_arithmetic import MonteCarloArithmetic
from parity_export.onnx_module.graph_module import GraphModule
from parity_export.onnx_module.step import FLOAT32_KERNEL
from parity_export.onnx_module.values import array_of, tensor_of
from parity_runtime.inference.session import create_session

RANDOM = np.random.default_rng(0)
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 3)]


def parsed(graph: str, opset: int = 20) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}, "com.microsoft": 1]> {graph}')


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def bytes_(*shape: int) -> np.ndarray[Any, Any]:
    """Return integers of seven bits: more of them overflow in onnxruntime's kernels on processors without VNNI."""
    return RANDOM.integers(0, 128, shape).astype(np.uint8)


def signed(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.integers(-60, 60, shape).astype(np.int8)


def alone(operator: str, inputs: Sequence[Any], outputs: Sequence[str], **attributes: Any) -> onnx.ModelProto:
    """Return a model of one operator of com.microsoft, or of the domain that its name begins with."""
    domain, _, operator = operator.rpartition("::")
    names = [f"input{index}" if one is not None else "" for index, one in enumerate(inputs)]
    node = helper.make_node(operator, names, outputs, domain=domain or "com.microsoft", **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.asarray(one).dtype), np.shape(one))
        for name, one in zip(names, inputs, strict=True)
        if name
    ]
    wanted = [onnx.ValueInfoProto(name=name) for name in outputs if name]
    return helper.make_model(helper.make_graph([node], "g", given, wanted), opset_imports=OPSETS, ir_version=9)


ONE, ZERO = np.float32(0.1), np.uint8(60)
MICROSOFT: list[tuple[str, list[Any], list[str], dict[str, Any]]] = [
    ("Gelu", [floats(3, 4)], ["y"], {}),
    ("BiasGelu", [floats(3, 4), floats(4)], ["y"], {}),
    ("FastGelu", [floats(3, 4), floats(4)], ["y"], {}),
    ("QuickGelu", [floats(3, 4)], ["y"], {}),
    ("FusedMatMul", [floats(2, 4, 3), floats(2, 4, 5)], ["y"], {"transA": 1, "alpha": 0.5}),
    ("FusedConv", [floats(1, 2, 5, 5), floats(3, 2, 3, 3), floats(3)], ["y"], {"activation": "Relu"}),
    ("SkipLayerNormalization", [floats(2, 5, 8), floats(2, 5, 8), floats(8), floats(8)], ["y", "", "", "sum"], {}),
    ("SkipSimplifiedLayerNormalization", [floats(2, 5, 8), floats(2, 5, 8), floats(8)], ["y"], {"epsilon": 1e-5}),
    (
        "EmbedLayerNormalization",
        [
            *(RANDOM.integers(0, 7, (2, 5)).astype(np.int32), RANDOM.integers(0, 2, (2, 5)).astype(np.int32)),
            *(floats(7, 8), floats(9, 8), floats(2, 8), floats(8), floats(8), np.ones((2, 5), np.int32)),
        ],
        ["y", "counts"],
        {},
    ),
    ("Attention", [floats(2, 5, 8), floats(8, 24), floats(24), np.int32([3, 5])], ["y"], {"num_heads": 2}),
    (
        "Attention",
        [floats(2, 5, 8), floats(8, 24), floats(24), None, floats(2, 2, 2, 3, 4)],
        ["y", "kept"],
        {"num_heads": 2, "unidirectional": 1},
    ),
    ("MultiHeadAttention", [floats(2, 5, 8), floats(2, 6, 8), floats(2, 6, 8), floats(24)], ["y"], {"num_heads": 2}),
    ("RotaryEmbedding", [floats(2, 5, 8), np.arange(10).reshape(2, 5), floats(10, 2), floats(10, 2)], ["y"], {}),
    ("MatMulIntegerToFloat", [bytes_(3, 4), signed(4, 5), ONE, floats(5) ** 2, ZERO, None, floats(5)], ["y"], {}),
    ("DynamicQuantizeMatMul", [floats(3, 4), signed(4, 5), floats(5) ** 2, None, floats(5)], ["y"], {}),
    (
        "QAttention",
        [bytes_(2, 5, 8), signed(8, 24), floats(24), ONE / 10, ONE / 10, np.int32([3, 5]), ZERO, np.int8(0)],
        ["y"],
        {"num_heads": 2},
    ),
    ("QLinearAdd", [bytes_(3, 4), ONE, ZERO, bytes_(3, 4), 2 * ONE, ZERO, 3 * ONE, ZERO], ["y"], {}),
    ("QLinearMul", [bytes_(3, 4), ONE, ZERO, bytes_(3, 4), 2 * ONE, ZERO, 9 * ONE, ZERO], ["y"], {}),
    ("QLinearSigmoid", [bytes_(3, 4), ONE / 2, ZERO, np.float32(1 / 256), np.uint8(0)], ["y"], {}),
    ("QLinearLeakyRelu", [bytes_(3, 4), ONE, ZERO, ONE, ZERO], ["y"], {"alpha": 0.1}),
    ("QLinearAveragePool", [bytes_(1, 2, 6, 6), ONE, ZERO, ONE, ZERO], ["y"], {"kernel_shape": [3, 3]}),
    ("QLinearGlobalAveragePool", [bytes_(1, 2, 6, 6), ONE, ZERO, ONE, ZERO], ["y"], {}),
    ("QLinearConcat", [ONE, ZERO, bytes_(2, 3), 0.7 * ONE, ZERO, bytes_(2, 4), 1.7 * ONE, ZERO], ["y"], {"axis": 1}),
    ("QGemm", [bytes_(3, 4), ONE, ZERO, signed(5, 4), ONE, np.int8(0)], ["y"], {"transB": 1}),
    (
        "MatMulNBits",
        [floats(3, 64), bytes_(5, 2, 16), floats(10), bytes_(5)],
        ["y"],
        {"K": 64, "N": 5, "bits": 4, "block_size": 32},
    ),
]


TREE = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 0, 1, 2, 3, 4],
    "nodes_featureids": [1, 0, 0, 0, 2, 0, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
    "nodes_values": [0.2, 0.0, 0.0, -0.1, 0.5, 0.0, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0, 1, 2, 0, 0, 0],
    "nodes_falsenodeids": [2, 0, 0, 4, 3, 0, 0, 0],
}
LEAVES = {
    "treeids": [0, 0, 1, 1, 1],
    "nodeids": [1, 2, 2, 3, 4],
    "ids": [0, 1, 2, 0, 1],
    "weights": [1.0, 2, 0.5, 3, 4],
}
CLASSIC: list[tuple[str, list[Any], list[str], dict[str, Any]]] = [
    ("Scaler", [floats(3, 2)], ["y"], {"offset": [0.5, 1.0], "scale": [2.0, 0.1]}),
    ("Normalizer", [floats(3, 2)], ["y"], {"norm": "L2"}),
    ("Normalizer", [floats(3, 2) ** 2], ["y"], {"norm": "MAX"}),
    (
        "Imputer",
        [np.float32([[1, np.nan]])],
        ["y"],
        {"imputed_value_floats": [3.0, 4.0], "replaced_value_float": np.nan},
    ),
    ("LinearRegressor", [floats(3, 2)], ["y"], {"coefficients": [0.5, 2.0], "intercepts": [0.1], "targets": 1}),
    (
        "LinearClassifier",
        [floats(3, 2)],
        ["label", "scores"],
        {
            "coefficients": [0.5, 2.0, -1.0, 1.0, 0.3, 0.2],
            "intercepts": [0.1, 0.2, 0.3],
            "classlabels_ints": [4, 5, 6],
            "post_transform": "SOFTMAX",
        },
    ),
    (
        "TreeEnsembleRegressor",
        [floats(9, 3)],
        ["y"],
        {
            **TREE,
            **{f"target_{name}": value for name, value in LEAVES.items()},
            "n_targets": 3,
        },
    ),
    (
        "TreeEnsembleRegressor",
        [floats(9, 3)],
        ["y"],
        {
            **TREE,
            **{f"target_{name}": value for name, value in LEAVES.items()},
            "target_ids": [0] * 5,
            "n_targets": 1,
            "base_values": [0.5],
        },
    ),
    (
        "TreeEnsembleClassifier",
        [floats(9, 3)],
        ["label", "scores"],
        {
            **TREE,
            **{f"class_{name}": value for name, value in LEAVES.items()},
            "classlabels_int64s": [4, 5, 6],
            "post_transform": "SOFTMAX",
        },
    ),
    ("FeatureVectorizer", [floats(3, 2), floats(3, 1)], ["y"], {"inputdimensions": [2, 1]}),
]
CASES = [*MICROSOFT, *((f"ai.onnx.ml::{name}", *others) for name, *others in CLASSIC)]


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_operators_beside_onnxs_own_are_what_onnxruntimes_kernels_compute(case: Any, double: bool) -> None:
    operator, inputs, outputs, attributes = case
    model = alone(operator, inputs, outputs, **attributes)
    given = {f"input{index}": np.asarray(one) for index, one in enumerate(inputs) if one is not None}
    wanted = create_session(model.SerializeToString()).run(None, given)
    module = GraphModule(model).double() if double else GraphModule(model)
    found = module(*map(tensor_of, given.values()))
    for one, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(array_of(one).astype(float), expected.astype(float), rtol=1e-4, atol=2e-5)
    assert {by for step in module.steps() for by in step.by[double]} == {"torch"}


@pytest.mark.parametrize("direction", ["reverse", "bidirectional"])
@pytest.mark.parametrize(("operator", "gates"), [("GRU", 3), ("LSTM", 4)])
def test_recurrent_networks_run_backwards_as_onnxruntimes_do(operator: str, gates: int, direction: str) -> None:
    count = 2 if direction == "bidirectional" else 1
    sizes = {"x": (6, 2, 3), "w": (count, gates * 4, 3), "r": (count, gates * 4, 4), "b": (count, 2 * gates * 4)}
    more = {"linear_before_reset": 1} if operator == "GRU" else {}
    node = helper.make_node(operator, [*sizes], ["y", "last"], hidden_size=4, direction=direction, **more)
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in sizes.items()]
    wanted = [onnx.ValueInfoProto(name=name) for name in ("y", "last")]
    graph = helper.make_graph([node], "g", given, wanted)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
    arrays = {name: floats(*size) for name, size in sizes.items()}
    expected = create_session(model.SerializeToString()).run(None, arrays)
    for module in (GraphModule(model), GraphModule(model).double()):
        for found, one in zip(module(*map(tensor_of, arrays.values())), expected, strict=True):
            np.testing.assert_allclose(found.numpy(), one, rtol=1e-5, atol=1e-6)


CONTROL = """mine (float[n] x, int64 count) => (float[n] y, float[k, n] steps) {
    yes = Constant <value: tensor = bool {1}> ()
    two = Constant <value: tensor = float {2}> ()
    limit = Constant <value: tensor = float {100}> ()
    y, steps = Loop (count, yes, x) <body = inner (int64 index, bool before, float[n] state)
        => (bool goes, float[n] after, float[n] kept) {
        after = Mul (state, two)
        kept = Identity (after)
        most = ReduceMax <keepdims = 0> (after)
        goes = Less (most, limit)
    }>
}"""


def test_a_loop_runs_its_graph_and_ends_where_that_says_so() -> None:
    module = GraphModule(parsed(CONTROL)).double()
    last, steps = module(torch.tensor([1.0, 3.0]), torch.tensor(9))
    assert last.tolist() == [64, 192]
    assert steps[:, 0].tolist() == [2, 4, 8, 16, 32, 64]
    assert last.dtype == torch.float64


BRANCHES = """mine (float[n] x) => (float[n] y) {
    zero = Constant <value: tensor = float {0}> ()
    total = ReduceSum <keepdims = 0> (x)
    positive = Greater (total, zero)
    y = If (positive) <
        then_branch = first () => (float[n] a) { a = Exp (x) },
        else_branch = second () => (float[n] b) { b = Neg (x) }
    >
}"""


def test_a_branch_takes_values_from_outside() -> None:
    module = GraphModule(parsed(BRANCHES))
    assert module(torch.tensor([-2.0, 1.0]))[0].tolist() == [2, -1]
    assert module(torch.tensor([2.0, 1.0]))[0].tolist() == pytest.approx([7.389056, 2.718282])


def test_sequences_and_functions() -> None:
    graph = """mine (float[2, n] x) => (float[n, m] y, int64 count) {
        one = Constant <value_int: int = 1> ()
        parts = SplitToSequence <axis = 0, keepdims = 0> (x)
        more = SequenceInsert (parts, first)
        first = SequenceAt (parts, one)
        y = ConcatFromSequence <axis = 1, new_axis = 1> (more)
        count = SequenceLength (more)
    }"""
    lines = graph.splitlines()
    lines[3], lines[4] = lines[4], lines[3]
    found, count = GraphModule(parsed("\n".join(lines)))(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert found.tolist() == [[1, 3, 3], [2, 4, 4]]
    assert int(count) == 3


def weighted(weight: np.ndarray[Any, Any]) -> onnx.ModelProto:
    """Return a graph that multiplies by a matrix of the name ``w.1``."""
    model = parsed("mine (float[batch, 3] x) => (float[batch, 2] y) { y = MatMul (x, w) }")
    model.graph.node[0].input[1] = "w.1"
    model.graph.initializer.append(numpy_helper.from_array(weight, "w.1"))
    return model


def test_copies_share_their_constants_and_have_a_precision_of_their_own() -> None:
    module = GraphModule(weighted(floats(3, 2)))
    double = copy.deepcopy(module).double()
    before, after = (next(iter(one.buffers())) for one in (module, double))
    assert before.data_ptr() == after.data_ptr()
    assert after.dtype == torch.float32
    x = torch.ones(1, 3)
    assert double(x)[0].dtype == torch.float64
    assert module(x)[0].dtype == torch.float32


def test_arrays_beside_the_graph_are_not_copied() -> None:
    weight, model = floats(3, 2), weighted(np.zeros((3, 2), np.float32))
    module = GraphModule(model, weights={"w.1": weight})
    assert next(iter(module.buffers())).data_ptr() == weight.ctypes.data
    assert module(torch.ones(1, 3))[0].numpy() == pytest.approx(weight.sum(0)[None])


@pytest.mark.parametrize(("operator", "gates"), [("GRU", 3), ("LSTM", 4), ("RNN", 1)])
def test_a_state_of_another_batch_is_refused(operator: str, gates: int) -> None:
    """Which sizes of an adopted graph are equal is found by asking it, and torch's kernels take any state."""
    inputs = [floats(5, 2, 3), floats(1, gates * 4, 3), floats(1, gates * 4, 4), None, None, floats(1, 7, 4)]
    inputs += [floats(1, 7, 4)] * (operator == "LSTM")
    attributes = {"linear_before_reset": 1} if operator == "GRU" else {}
    module = GraphModule(alone(f"ai.onnx::{operator}", inputs, ["y"], hidden_size=4, **attributes))
    with pytest.raises(IndexError, match="has the shape"):
        module(*(tensor_of(one) for one in inputs if one is not None))


def test_what_a_kernel_computes_is_moved_as_torchs_operators_are() -> None:
    node = helper.make_node("DeformConv", ["x", "w", "o"], ["y"], kernel_shape=[2, 2])
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4) for name in "xwo"]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * 4)])
    module = GraphModule(helper.make_model(graph, opset_imports=OPSETS, ir_version=9))
    given = [tensor_of(floats(1, 2, 4, 4)), tensor_of(floats(2, 2, 2, 2)), tensor_of(floats(1, 8, 3, 3))]
    (plain,) = module(*given)
    with MonteCarloArithmetic(0):
        (moved,) = module(*given)
    assert not torch.equal(plain, moved)
    assert torch.allclose(plain, moved, atol=1e-4)


def test_what_a_kernel_only_compares_is_not_moved() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y", "places"], kernel_shape=[2, 2])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None] * 4)
    wanted = [onnx.ValueInfoProto(name=name) for name in ("y", "places")]
    graph = helper.make_graph([node], "g", [given], wanted)
    module = GraphModule(helper.make_model(graph, opset_imports=OPSETS, ir_version=9))
    x = tensor_of(floats(1, 2, 4, 4))
    with MonteCarloArithmetic(0):
        values, places = module(x)
    assert torch.equal(values, torch.nn.functional.max_pool2d(x, 2, stride=1))
    assert places.dtype == torch.int64


def test_what_nothing_computes_in_float64_is_said() -> None:
    module = GraphModule(alone("MatMulNBits", MICROSOFT[-1][1], ["y"], **MICROSOFT[-1][3], accuracy_level=4)).double()
    module(*(tensor_of(np.asarray(one)) for one in MICROSOFT[-1][1]))
    assert [step.by[True] for step in module.steps()] == [{FLOAT32_KERNEL}]
    assert module.notes == (
        "com.microsoft::MatMulNBits: nothing computes it in float64; its reference is onnxruntime's own kernel, given "
        "what float64 computed before it",
    )


def test_a_random_operator_is_named() -> None:
    graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { noise = RandomNormalLike (x) y = Add (x, noise) }"
    assert [step.operator for step in GraphModule(parsed(graph)).steps()] == ["RandomNormalLike", "Add"]


QUANTIZED = """mine (float[batch, 4] x) => (float[batch, 3] y) {
    step = Constant <value: tensor = float {0.02}> ()
    middle = Constant <value: tensor = uint8 {128}> ()
    weight_step = Constant <value: tensor = float {0.01}> ()
    quantized = QuantizeLinear (x, step, middle)
    wide = DequantizeLinear (quantized, step, middle)
    weight = DequantizeLinear (w, weight_step)
    product = MatMul (wide, weight)
    z = QuantizeLinear (product, step, middle)
    shown = DequantizeLinear (z, step, middle)
    y = Relu (shown)
}"""


def quantized(weight: np.ndarray[Any, Any], last: str = "Relu") -> onnx.ModelProto:
    model = parsed(QUANTIZED)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    model.graph.node[-1].op_type = last
    return model


WEIGHT = np.random.default_rng(1).integers(-60, 60, (4, 3)).astype(np.int8)


def judged(model: onnx.ModelProto) -> bool:
    """Return whether the gate takes a model for the graph of `QUANTIZED` and `WEIGHT`."""
    source = source_from_module(GraphModule(quantized(WEIGHT)), ["x: float32[batch, 4]"], OutputSpec(), "quantized")
    return check_model(source, model.SerializeToString(), effort="quick").report.passed


@pytest.mark.slow
def test_the_gate_takes_a_quantized_graph_for_itself() -> None:
    assert judged(quantized(WEIGHT))


@pytest.mark.slow
@pytest.mark.parametrize("defect", ["weight", "operator"])
def test_the_gate_refuses_a_quantized_graph_with_a_defect(defect: str) -> None:
    other = WEIGHT.copy()
    other[1, 2] += 9
    assert not judged(quantized(other) if defect == "weight" else quantized(WEIGHT, "Abs"))
