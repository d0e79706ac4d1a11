"""What operators mean where an opset, a rare attribute or ONNX's own tools mislead: by definition, or left open."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from parity_export.onnx_module.graph_module import GraphModule
from parity_export.onnx_module.values import array_of, tensor_of
from parity_runtime import InputError
from parity_runtime.inference.session import create_session

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def integers(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def alone(
    operator: str, inputs: Sequence[Any], opset: int = 18, outputs: int = 1, **attributes: Any
) -> onnx.ModelProto:
    """Return a model of one operator, of another domain if that stands before it, that is given all its inputs."""
    domain, _, operator = operator.rpartition("::")
    names = [f"input{index}" if one is not None else "" for index, one in enumerate(inputs)]
    node = helper.make_node(operator, names, [f"y{index}" for index in range(outputs)], domain=domain, **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(one.dtype), [None] * one.ndim)
        for name, one in zip(names, inputs, strict=True)
        if name
    ]
    graph = helper.make_graph([node], "g", given, [onnx.ValueInfoProto(name=name) for name in node.output])
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("my", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9)


def computed(model: onnx.ModelProto, inputs: Sequence[Any], *, double: bool = False) -> tuple[list[Any], set[str]]:
    """Return what a graph of one node gives, and who computed it."""
    module = GraphModule(model).double() if double else GraphModule(model)
    found = module(*(tensor_of(one) for one in inputs if one is not None))
    return [array_of(one) for one in found], module.steps()[0].by[double]


X, CHANNELS = floats(2, 3, 3), np.float32([0.1, 0.5, 0.9])
BY_CHANNEL = CHANNELS[:, None]


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("operator", "opset", "inputs", "attributes", "expected"),
    [
        ("Add", 6, [X, CHANNELS], {"broadcast": 1, "axis": 1}, X + BY_CHANNEL),
        ("Div", 6, [X, CHANNELS], {"broadcast": 1}, X / CHANNELS),
        ("Less", 6, [X, CHANNELS[:1]], {"broadcast": 1, "axis": 0}, CHANNELS[0] > X),
        ("PRelu", 6, [X, CHANNELS], {}, np.where(X < 0, X * BY_CHANNEL, X)),
        ("PRelu", 7, [X, CHANNELS], {}, np.where(X < 0, X * CHANNELS, X)),
        ("Concat", 3, [X, X], {}, np.concatenate([X, X], 1)),
        ("Dropout", 6, [X], {"is_test": 1}, X),
    ],
)
def test_operators_of_old_opsets_mean_what_they_meant(
    operator: str, opset: int, inputs: list[Any], attributes: dict[str, Any], expected: Any, double: bool
) -> None:
    (found,), by = computed(alone(operator, inputs, opset, **attributes), inputs, double=double)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert by == {"torch"}


@pytest.mark.parametrize(
    ("operator", "opset", "inputs"),
    [
        ("Dropout", 6, [X]),
        ("BatchNormalization", 6, [X, CHANNELS, CHANNELS, CHANNELS, CHANNELS]),
        ("Tile", 5, [X, CHANNELS[:1], CHANNELS[:1]]),
        ("Selu", 5, [X]),
        ("Upsample", 6, [X]),
    ],
)
def test_old_forms_that_nobody_computes_are_refused(operator: str, opset: int, inputs: list[Any]) -> None:
    with pytest.raises(InputError, match=f"operator {operator} at node 'y0' is in a form of opset {opset}"):
        GraphModule(alone(operator, inputs, opset))


def test_no_reference_evaluator_stands_in_before_opset_7() -> None:
    inputs = [X, floats(4, 3)]
    with pytest.raises((InputError, IndexError), match="not broadcast"):
        computed(alone("Add", inputs, 6), inputs)


def gates(count: int, *more: Any) -> list[Any]:
    return [floats(3, 2, 3), floats(1, count * 4, 3), floats(1, count * 4, 4), floats(1, 2 * count * 4), *more]


HARD = {"activation_alpha": [0.3], "activation_beta": [0.4]}
AS_ONNXRUNTIME: list[tuple[str, int, list[Any], dict[str, Any]]] = [
    ("RNN", 18, gates(1), {"hidden_size": 4, "activations": ["Affine"], **HARD}),
    ("GRU", 18, gates(3), {"hidden_size": 4, "clip": 0.5, "activations": ["HardSigmoid", "Tanh"], **HARD}),
    ("GRU", 18, gates(3, np.int32([3, 0])), {"hidden_size": 4}),
    ("LSTM", 18, gates(4), {"hidden_size": 4, "input_forget": 1, "activations": ["HardSigmoid", "Elu", "Tanh"]}),
    ("Hardmax", 11, [floats(2, 3, 4)], {}),
    ("LpPool", 18, [floats(1, 2, 7)], {"kernel_shape": [3], "strides": [2], "pads": [1, 0], "ceil_mode": 1, "p": 3}),
    ("GlobalLpPool", 18, [floats(1, 2, 7, 3)], {}),
    *(
        ("Resize", 18, [floats(1, 1, 2, 3), None, None, integers(7, 8)],
         {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": policy})
        for policy in ("not_larger", "not_smaller")
    ),
    ("Resize", 10, [floats(1, 1, 6, 5), np.float32([1, 1, 0.6, 0.75])], {}),
    ("Slice", 18, [floats(5), *(integers(one) for one in (-100, -100, 0, -1))], {}),
    ("Clip", 18, [np.float32([-np.inf, 0, np.inf]), None, np.array(1, np.float32)], {}),
    ("ai.onnx.ml::ArrayFeatureExtractor", 18, [floats(4), integers(0, 2)], {}),
    ("ai.onnx.ml::FeatureVectorizer", 18, [floats(4)], {"inputdimensions": [4]}),
]  # fmt: skip


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("case", AS_ONNXRUNTIME, ids=lambda case: case[0])
def test_rare_attributes_are_computed_by_definition_in_float64_too(case: Any, double: bool) -> None:
    operator, opset, inputs, attributes = case
    model = alone(operator, inputs, opset, **attributes)
    del model.graph.input[1:]
    others = [(f"input{index}", one) for index, one in enumerate(inputs) if index and one is not None]
    model.graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in others)
    wanted = create_session(model.SerializeToString(), optimization="disabled").run(None, {"input0": inputs[0]})
    (found,), by = computed(model, inputs[:1], double=double)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-5, atol=1e-6)
    assert by == {"torch"}


@pytest.mark.parametrize(
    ("operator", "opset", "inputs", "outputs", "attributes"),
    [
        ("Shrink", 18, [np.int32([-3, 0, 3])], 1, {"bias": 1.5}),
        ("TopK", 18, [floats(3, 6), integers(4)], 2, {"sorted": 0}),
        ("Dropout", 10, [floats(3)], 2, {}),
        ("Pad", 19, [floats(3, 4), integers(-1, 2, 1, -1)], 1, {"mode": "wrap"}),
        ("Resize", 18, [np.uint8([[[[1, 4]]]]), None, np.float32([1, 1, 1, 3])], 1, {"mode": "linear"}),
    ],
)
def test_what_onnx_leaves_open_is_left_to_onnxruntimes_kernel(
    operator: str, opset: int, inputs: list[Any], outputs: int, attributes: dict[str, Any]
) -> None:
    model = alone(operator, inputs, opset, outputs, **attributes)
    for double in (False, True):
        found, by = computed(model, inputs, double=double)
        assert all(one.startswith("onnxruntime") for one in by)
        assert len(found) == outputs


@pytest.mark.parametrize("operator", ["LayerNormalization", "SimplifiedLayerNormalization", "InstanceNormalization"])
def test_halves_are_squared_in_float32(operator: str) -> None:
    x = np.float16([[[1000, -1000, 500, -500]]])
    channels = [np.ones(1, np.float16), np.zeros(1, np.float16)]
    inputs = [x, *(channels if operator == "InstanceNormalization" else [np.ones(4, np.float16)])]
    (found,), _ = computed(alone(operator, inputs), inputs)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.ravel(), np.array([2, -2, 1, -1]) / np.sqrt(2.5), rtol=2e-3)


def test_a_node_that_others_compute_for_other_values_goes_on() -> None:
    module = GraphModule(alone("ReduceSum", [X, integers(1)], noop_with_empty_axes=1))
    x = torch.ones(2, 3)
    assert module(x, torch.tensor([1]))[0].tolist() == [[3], [3]]
    assert module(x, torch.zeros(0, dtype=torch.int64))[0].tolist() == x.tolist()
    assert module.steps()[0].by[False] == {"torch", "onnxruntime"}


def calling(operator: str, opset: int) -> onnx.ModelProto:
    """Return a model of opset 18 that calls a function of another opset."""
    model = alone("my::F", [X])
    node = helper.make_node(operator, ["x"], ["y"])
    model.functions.append(helper.make_function("my", "F", ["x"], ["y"], [node], [helper.make_opsetid("", opset)]))
    return model


def test_functions_of_another_opset_are_computed_where_that_means_the_same() -> None:
    (found,), _ = computed(calling("Sin", 13), [X])
    np.testing.assert_allclose(found, np.sin(X), rtol=1e-6)
    with pytest.raises(InputError, match="function 'my::F' is of another opset than its model"):
        GraphModule(calling("Softmax", 11))
