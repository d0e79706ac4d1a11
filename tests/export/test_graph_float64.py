"""A graph in float64: every operator as ONNX defines it, with the graph's own constants, and a clear no."""

import copy
import warnings
from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from parity_export import ExportOptions, OutputSpec, source_from_module
from parity_export.error_bounds.operator_rule import WorstCase
from parity_export.error_bounds.registry import RULES
from parity_export.gate.batching import ModelFunction
from parity_export.gate.graph_float64 import graph_float64
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.onnx_module.operators import sequences
from parity_export.onnx_module.operators.table import OPERATORS, full_name
from parity_runtime import InputError, TensorSpec
from tests.older_onnxruntime import refused_before
from tests.proof.arithmetic import Exact
from tests.proof.evaluator import evaluate
from tests.proof.graphs import worst_case_graph

LEFT_OUT = (
    *("training", "cast", "bfloat16", "bf16", "fp16", "e4m3", "e5m2", "float4", "int4", "int2"),
    *("test_sequence", "optional", "identity_"),  # no tensors; test_graph_module.py has some
    "symmetric",  # its answers are of a format of few bits
    "downsample_scales_linear_align_corners",  # computed by the evaluator, which counts fractions of a last element
    "downsample_scales_cubic_align_corners",
)


@cache
def examples() -> list[Any]:
    """ONNX's own examples of operators, of those that round nothing to a format of few bits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # casts of NaN among them
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    return [case for case in cases if not any(word in case.name for word in LEFT_OUT)]


def name_of(node: onnx.NodeProto) -> str:
    return full_name(node.domain, node.op_type)


def model_of(nodes: list[Any], inputs: list[Any], outputs: list[str], constants: dict[str, Any] | None = None) -> bytes:
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name=name) for name in outputs], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def float64(model: bytes, outputs: list[str]) -> ModelFunction:
    return graph_float64(OnnxGraph(model), outputs)


def floats(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


UNTOLD = {
    "Cast",
    "CastLike",
    "Swish",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
    "Scatter",
    "Upsample",
    "GlobalLpPool",
}
"""Operators of which ONNX has no such example, or none but of formats of few bits."""

# Range, expanded, is a Loop of opset 27. Where onnxruntime knows none, ONNX's evaluator answers a dimension too many.
LOOPS = refused_before("1.32", AssertionError)


@pytest.mark.parametrize(
    "operator",
    [
        pytest.param(one, marks=[LOOPS] if one in ("Cast", "Sub") else [])
        for one in sorted(set(OPERATORS) - set(sequences.OPERATORS))
    ],
)
def test_operators_are_what_onnx_says(operator: str) -> None:
    """ONNX's own examples of each operator that is written here."""
    cases = [case for case in examples() if name_of(case.model.graph.node[0]) == operator]
    for case in cases:
        graph, (inputs, outputs) = case.model.graph, case.data_sets[0]
        names = [value.name for value in graph.output]
        given = dict(zip([value.name for value in graph.input], map(np.asarray, inputs), strict=True))
        found = graph_float64(OnnxGraph(case.model), names)(given)
        for name, wanted in zip(names, outputs, strict=True):
            step = 1 if wanted.dtype == np.uint8 else 1e-5  # float32 may round half a step to its other neighbour
            got = found[name].astype(float) if wanted.dtype.kind in "fiu" else found[name]
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=step, err_msg=case.name)
    assert cases or operator in UNTOLD or "::" in operator


@pytest.mark.parametrize("case", [case for rule in RULES for case in rule.worst_cases()], ids=lambda case: case.name)
def test_it_is_as_exact_as_an_evaluator_that_shares_no_code_with_it(case: WorstCase) -> None:
    graph, _ = worst_case_graph(case)
    found = graph_float64(OnnxGraph(graph), ["value"])({"features": case.rows})["value"]
    exact = evaluate(graph, {"features": case.rows}, Exact())["value"]
    np.testing.assert_allclose(found, exact, rtol=1e-14, atol=1e-16)


def test_a_module_and_its_graph_agree_to_float64s_rounding() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.GELU(), nn.ConvTranspose2d(4, 2, 3, stride=2),
        nn.AvgPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(40, 6), nn.LayerNorm(6), nn.Softplus(),
        nn.Unflatten(1, (2, 3)), nn.GroupNorm(1, 2), nn.MaxPool1d(2), nn.Softmax(2),
    ).eval()  # fmt: skip
    source = source_from_module(
        module, [TensorSpec.parse("x: float32[batch, 2, 7, 6]")], OutputSpec("tensors"), "model"
    )
    graph = attach_head(trace(source, ExportOptions()))
    name = str(graph.model.graph.outputs[0].name)
    x = torch.randn(3, 2, 7, 6)
    found = graph_float64(graph.onnx, [name])({"x": x.numpy()})[name]
    with torch.no_grad():
        exact = copy.deepcopy(module).double()(x.double()).numpy()
    np.testing.assert_allclose(found, exact, rtol=1e-13, atol=1e-15)


def test_constants_are_those_of_the_graph() -> None:
    """0.1 is a float32 there, in a node and among the initializers."""
    tenth = numpy_helper.from_array(np.float32([0.1]))
    nodes = [
        helper.make_node("Constant", [], ["a"], value=tenth),
        helper.make_node("Constant", [], ["b"], value_float=0.1),
        helper.make_node("Sum", ["x", "a", "b", "c"], ["y"]),
    ]
    found = float64(model_of(nodes, [floats("x", 1)], ["y"], {"c": np.float32([0.1])}), ["y"])
    assert found({"x": np.zeros(1, np.float32)})["y"] == 3 * np.float64(np.float32(0.1))


def test_casts_between_floats_round_nothing() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Neg", ["half"], ["y"]),
    ]
    found = float64(model_of(nodes, [floats("x", 1)], ["y"]), ["y"])({"x": np.float32([0.1])})["y"]
    assert found.dtype == np.float64 and found == -np.float64(np.float32(0.1))


def test_a_subgraph_takes_values_from_outside() -> None:
    branches = {
        key: helper.make_graph([helper.make_node(operator, ["z"], ["w"])], key, [], [floats("w", None)])
        for key, operator in (("then_branch", "Tanh"), ("else_branch", "Erf"))
    }
    nodes = [
        helper.make_node("Mul", ["x", "c"], ["z"]),
        helper.make_node("Greater", ["x", "c"], ["greater"]),
        helper.make_node("If", ["greater"], ["y"], **branches),
    ]
    answer = float64(model_of(nodes, [floats("x")], ["y"], {"c": np.float32(0.5)}), ["y"])
    assert abs(answer({"x": np.float32(1)})["y"] - np.tanh(0.5)) < 1e-15
    assert abs(answer({"x": np.float32(0.25)})["y"] - torch.erf(torch.tensor(0.125).double()).item()) < 1e-7


def test_one_column_of_texts_stays_a_column() -> None:
    """Numpy takes a torch tensor of one element for a number, and would drop the axis."""
    texts = helper.make_tensor_value_info("x", TensorProto.STRING, ["n", 3])
    node = helper.make_node("Gather", ["x", "index"], ["y"], axis=1)
    model = model_of([node], [texts], ["y"], {"index": np.array([1])})
    found = float64(model, ["y"])({"x": np.array([["a", "b", "c"], ["d", "e", "f"]], object)})
    assert found["y"].tolist() == [["b"], ["e"]]


def test_what_cannot_be_evaluated_is_named() -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], "enlarged", mode="linear", antialias=1,
                            coordinate_transformation_mode="align_corners")  # fmt: skip
    model = model_of([node], [floats("x", 1, 1, 3)], ["y"], {"s": np.float32([1, 1, 1.5])})
    with pytest.raises(InputError, match="operator Resize at node enlarged cannot be evaluated in float64: ONNX's"):
        float64(model, ["y"])({"x": np.ones((1, 1, 3), np.float32)})
    with pytest.raises(InputError, match="the graph has no value z"):
        float64(model, ["z"])
    strange = helper.make_node("Strange", ["x"], ["y"], "n", domain="somewhere")
    with pytest.raises(InputError, match="operator somewhere::Strange at node n cannot be evaluated in float64: "):
        float64(model_of([strange], [floats("x", 1)], ["y"]), ["y"])({"x": np.ones(1, np.float32)})
