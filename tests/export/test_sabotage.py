"""Graphs that are wrong in one place, each found only by the question that was made for it."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from parity_export import ExportOptions, assert_parity
from parity_export.export_graph import ExportGraph
from parity_export.export_options import Effort
from parity_export.gate.run_gate import run_gate
from parity_export.graph.attach_head import attach_head
from parity_export.graph.torch_export import export_graph
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_runtime import TensorSpec
from tests.export.task_modules import CASES, source_of
from tests.soak import sampled

pytestmark = pytest.mark.slow

TABLE = ["x: float32[batch, 4]"]
SEQUENCE = ["x: float32[batch, time, 4]"]
EFFORTS: tuple[Effort, ...] = ("quick", "normal")


class Function(nn.Module):
    """A module around a function, with a linear layer ``l`` and others by name."""

    def __init__(self, function: Callable[..., object], **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def exported(module: nn.Module, inputs: list[str]) -> onnx.ModelProto:
    example = Example.of(module.eval(), [TensorSpec.parse(text) for text in inputs])
    return onnx.load_from_string(OnnxGraph(export_graph(module, example)).data)


def set_weight(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    tensor = next(one for one in model.graph.initializer if one.name == name)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(change(numpy_helper.to_array(tensor).copy())), name))


def append(model: onnx.ModelProto, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> None:
    """Put nodes behind the only output; they take ``raw`` and give the output's name."""
    name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["raw" if output == name else output for output in node.output]
    for node in nodes:
        node.output[:] = [name if output == "OUT" else output for output in node.output]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in constants.items())


Refused = Callable[[nn.Module, onnx.ModelProto, list[str], str], None]


def check_refused(
    module: nn.Module, model: onnx.ModelProto, inputs: list[str], words: str, effort: Effort = "quick"
) -> None:
    with pytest.raises(AssertionError, match=words):
        assert_parity(module, model.SerializeToString(), inputs, effort=effort)


@pytest.fixture(params=sampled(EFFORTS, {"quick"}))
def refused(request: pytest.FixtureRequest) -> Refused:
    """Check that a model is refused, by the least effort, or by another one as well."""
    return partial(check_refused, effort=request.param)


def scaled_beyond(axis: int, size: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Nodes that add 1 where an axis of the input is longer than ``size``."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "axis"], ["length"]),
        helper.make_node("Greater", ["length", "size"], ["longer"]),
        helper.make_node("Cast", ["longer"], ["one"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Add", ["raw", "one"], ["OUT"]),
    ]
    return nodes, {"axis": np.array(axis), "size": np.array(size)}


@pytest.mark.parametrize("rows", [pytest.param(64, marks=pytest.mark.soak), 600])
def test_a_defect_of_large_batches_alone_is_found(refused: Refused, rows: int) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, TABLE)
    append(model, *scaled_beyond(0, rows))
    refused(module, model, TABLE, "batch 1000")


def test_a_defect_of_long_sequences_alone_is_found(refused: Refused) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, SEQUENCE)
    append(model, *scaled_beyond(1, 7))
    refused(module, model, SEQUENCE, "time 17")


def test_a_sequence_that_is_cut_short_is_found(refused: Refused) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, SEQUENCE)
    cut = helper.make_node("Slice", ["raw", "zero", "five", "one"], ["OUT"])
    append(model, [cut], {"zero": np.array([0]), "five": np.array([5]), "one": np.array([1])})
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "cut"
    refused(module, model, SEQUENCE, "time 17")


def test_every_row_of_an_embedding_is_asked(refused: Refused) -> None:
    module = nn.Embedding(50, 6)
    model = exported(module, ["x: int64[batch, time]"])

    def one_row(array: np.ndarray) -> np.ndarray:
        array[49] += 1
        return array

    set_weight(model, "weight", one_row)
    refused(module, model, ["x: int64[batch, time]"], "differ, by up to 1")


def test_negative_integers_are_asked_where_torch_takes_them(refused: Refused) -> None:
    module = Function(lambda _, x: torch.abs(x) * 2)
    model = exported(module, ["x: int64[batch, 3]"])
    next(node for node in model.graph.node if node.op_type == "Abs").op_type = "Identity"
    refused(module, model, ["x: int64[batch, 3]"], "differ")


def test_a_small_column_beside_a_large_one_has_a_tolerance_of_its_own(refused: Refused) -> None:
    module = Function(
        lambda self, x: torch.cat([self.l(x) * 1e6, torch.sigmoid(self.k(x))], 1), l=nn.Linear(4, 1), k=nn.Linear(4, 1)
    )
    model = exported(module, TABLE)
    set_weight(model, "k.weight", lambda array: array[:, ::-1])
    refused(module, model, TABLE, "ordinary probes")


def test_an_infinity_that_torch_means_must_be_answered(refused: Refused) -> None:
    module = Function(lambda _, x: x.masked_fill(x > 0, float("-inf")))
    honest = exported(module, TABLE)
    assert_parity(module, honest.SerializeToString(), TABLE)
    append(honest, [helper.make_node("Max", ["raw", "floor"], ["OUT"])], {"floor": np.array(-1e9, np.float32)})
    refused(module, honest, TABLE, "by up to inf")


@pytest.mark.parametrize("bound", [50.0, 1e4])
def test_a_clip_that_matters_for_large_numbers_alone_is_found(refused: Refused, bound: float) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, TABLE)
    clip = helper.make_node("Clip", ["raw", "low", "high"], ["OUT"])
    append(model, [clip], {"low": np.array(-bound, np.float32), "high": np.array(bound, np.float32)})
    refused(module, model, TABLE, "large probes")


def test_another_dtype_of_the_output_is_found(refused: Refused) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, TABLE)
    append(model, [helper.make_node("Cast", ["raw"], ["OUT"], to=onnx.TensorProto.DOUBLE)], {})
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    refused(module, model, TABLE, r"float64\[batch, 3\]; expected .*float32")


def test_a_length_that_is_baked_in_fails_with_one_sentence(refused: Refused) -> None:
    module = nn.Linear(4, 3)
    model = exported(module, SEQUENCE)
    append(model, [helper.make_node("Reshape", ["raw", "baked"], ["OUT"])], {"baked": np.array([-1, 3, 3])})
    refused(module, model, SEQUENCE, r"has linear: float32\[batch, 3, 3\]; expected linear: float32\[batch, time, 3\]")


def test_honest_modules_that_cast_return_nothing_or_decide_are_not_refused() -> None:
    casting = Function(lambda self, x: self.l(x.float() / 255), l=nn.Linear(4, 2))
    assert_parity(casting, exported(casting, ["x: uint8[batch, 4]"]).SerializeToString(),
                  ["x: uint8[batch, 4]"])  # fmt: skip
    for function in (
        lambda _, x: torch.tanh(x) > 0,
        lambda self, x: (self.l(x), x),
        lambda self, x: (self.l(x), None),
    ):
        module = Function(function, l=nn.Linear(4, 2))
        assert_parity(module, exported(module, TABLE).SerializeToString(), TABLE)


@pytest.mark.parametrize("epsilon", [1e-12, 1e-3])
def test_another_epsilon_is_found_among_small_rows(refused: Refused, epsilon: float) -> None:
    module = nn.LayerNorm(16, eps=1e-6)
    model = exported(module, ["x: float32[batch, 16]"])
    node = next(node for node in model.graph.node if node.op_type == "LayerNormalization")
    next(one for one in node.attribute if one.name == "epsilon").f = epsilon
    refused(module, model, ["x: float32[batch, 16]"], r"\(small probes\)")


def test_a_threshold_near_zero_is_found(refused: Refused) -> None:
    module = Function(lambda _, x: nn.functional.threshold(x, 1e-3, 0.0))
    refused(module, exported(Function(lambda _, x: torch.relu(x)), TABLE), TABLE, r"\(small probes\)")


@pytest.mark.parametrize(
    "through", [onnx.TensorProto.FLOAT, pytest.param(onnx.TensorProto.INT32, marks=pytest.mark.soak)]
)
def test_ids_and_seconds_that_lose_digits_are_found(refused: Refused, through: int) -> None:
    module = Function(lambda _, x: x + 1)
    model = exported(module, ["x: int64[batch, 3]"])
    append(model, [helper.make_node("Cast", ["raw"], ["lost"], to=through),
                   helper.make_node("Cast", ["lost"], ["OUT"], to=onnx.TensorProto.INT64)], {})  # fmt: skip
    refused(module, model, ["x: int64[batch, 3]"], r"\(large probes\)")


@pytest.mark.parametrize("fill", [None, 0.4])
def test_a_missing_cell_that_is_filled_otherwise_is_found(refused: Refused, fill: float | None) -> None:
    def imputed(self: Function, x: Tensor, value: float | None = 0.3) -> Tensor:
        return self.l(x if value is None else torch.where(torch.isnan(x), value, x))

    module = Function(imputed, l=nn.Linear(4, 2))
    assert_parity(module, exported(module, TABLE).SerializeToString(), TABLE)
    other = exported(Function(lambda self, x: imputed(self, x, fill), l=module.l), TABLE)
    refused(module, other, TABLE, "where cells are missing")


COMPARISONS = {
    "an age": (lambda _, x: (x >= 18).float(), lambda _, x: (x > 18).float()),
    "a half": (lambda _, x: (x > 0.5).float(), lambda _, x: (x >= 0.5).float()),
    "a code": (lambda _, x: (x == 2).float(), lambda _, x: (x == 3).float()),
    "a code that is gone": (lambda _, x: (x == 2).float(), lambda _, x: x * 0),
    "buckets": (
        lambda _, x: torch.bucketize(x, torch.tensor([18.0, 25, 40])).float(),
        lambda _, x: torch.bucketize(x, torch.tensor([18.0, 25, 40]), right=True).float(),
    ),
    "rounding": (lambda _, x: torch.round(x), lambda _, x: torch.floor(x + 0.5)),
}


@pytest.mark.parametrize("name", sampled(COMPARISONS, {"an age", "buckets", "rounding"}))
def test_a_decision_is_asked_where_it_lies(refused: Refused, name: str) -> None:
    right, wrong = (Function(function) for function in COMPARISONS[name])
    assert_parity(right, exported(right, TABLE).SerializeToString(), TABLE)
    refused(right, exported(wrong, TABLE), TABLE, "special probes")


CUTS = {
    "a prefix": (lambda _, x: x[:, :100].sum(1), lambda _, x: x[:, :99].sum(1)),
    "a suffix": (lambda _, x: x[:, -32:].sum(1), lambda _, x: x[:, -31:].sum(1)),
    "positions": (
        lambda _, x: x + torch.arange(x.shape[1])[:, None],
        lambda _, x: x + torch.arange(x.shape[1]).clamp(max=64)[:, None],
    ),
}


@pytest.mark.parametrize("name", sampled(CUTS, {"a prefix"}))
def test_a_sequence_is_asked_beyond_where_it_is_cut(refused: Refused, name: str) -> None:
    right, wrong = (Function(function) for function in CUTS[name])
    assert_parity(right, exported(right, SEQUENCE).SerializeToString(), SEQUENCE)
    refused(right, exported(wrong, SEQUENCE), SEQUENCE, "time (128|101|100|33)")


def gated(case: str, change: Callable[[onnx.ModelProto], None], effort: Effort = "normal") -> list[str]:
    """What the gate says of the graph of a task whose head somebody changed."""
    graph = attach_head(trace(source_of(*CASES[case]), ExportOptions()))
    model = onnx.load_from_string(graph.data)
    change(model)
    return run_gate(ExportGraph(graph.source, OnnxGraph(model.SerializeToString())), effort=effort).report.reasons()


def first(model: onnx.ModelProto, op_type: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == op_type)


def without_normalization(model: onnx.ModelProto) -> None:
    division = first(model, "Div")
    division.CopyFrom(helper.make_node("Identity", [division.input[0]], [division.output[0]]))


def other_axis(model: onnx.ModelProto) -> None:
    """The index of the largest of each class over the time, where that has the shape of the answer."""
    next(one for one in first(model, "ArgMax").attribute if one.name == "axis").i = 1


def last_of_equal(model: onnx.ModelProto) -> None:
    """Harmless: it says another index of a tie, which is nobody's."""
    first(model, "ArgMax").attribute.append(helper.make_attribute("select_last_index", 1))


def swapped_classes(model: onnx.ModelProto) -> None:
    """Of two classes each is called as the other, in the decision alone."""
    maker = next(node for node in model.graph.node if node.output[0] in ("labels", "tags"))
    maker.input[0], swap = "swapped", maker.input[0]
    constant = numpy_helper.from_array(np.array([1, 0, 2]), "order")
    model.graph.initializer.append(constant)
    gather = helper.make_node("Gather", [swap, "order"], ["swapped"], axis=-1)
    model.graph.node.insert(list(model.graph.node).index(maker), gather)


TASK_DEFECTS: dict[str, tuple[str, Callable[[onnx.ModelProto], None], str]] = {
    "a threshold of another class": (
        "multilabel",
        lambda model: set_weight(model, "head.logit_thresholds", lambda array: array[[1, 0, 2]]),
        "of labels",
    ),
    "a threshold that is off by a thousandth": (
        "multilabel",
        lambda model: set_weight(model, "head.logit_thresholds", lambda array: array + np.float32([0, 0, 1e-3])),
        "of labels",
    ),
    "the same of two classes": (
        "binary",
        lambda model: set_weight(model, "head.logit_threshold", lambda array: array + np.float32(1e-3)),
        "of label",
    ),
    "labels of another class": ("multilabel", swapped_classes, "of labels"),
    "tags of another class": ("tagging", swapped_classes, "of tags"),
    "a vector that is not normalized": ("unit embedding", without_normalization, "of embedding"),
    "tags over another axis": ("square tagging", other_axis, "of tags"),
    "tokens over another axis": ("square language model", other_axis, "of tokens"),
}


@pytest.mark.parametrize("effort", sampled(EFFORTS, {"quick"}))
@pytest.mark.parametrize("name", TASK_DEFECTS)
def test_a_head_that_is_wrong_is_found(name: str, effort: Effort) -> None:
    case, change, words = TASK_DEFECTS[name]
    reasons = gated(case, change, effort)
    assert any(words in reason for reason in reasons), reasons[:3]


@pytest.mark.parametrize("case", ["tagging", "language model"])
def test_another_index_of_a_tie_is_nobodys(case: str) -> None:
    assert gated(case, last_of_equal) == []
