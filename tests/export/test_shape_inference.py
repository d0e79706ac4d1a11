"""Sizes that torch fixed inside a graph: what a package or a file declares is what the module returns at every size."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, assert_parity, export_package, source_from_module
from parity_export.graph.attach_head import attach_head
from parity_export.graph.torch_export import export_graph
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_runtime import ModelContract, Predictor, TensorSpec
from parity_runtime.inference.session import create_session
from tests.parity.architectures import Recurrence

pytestmark = pytest.mark.slow

SEQUENCE = "x: float32[batch, time, 6]"


class Recurrent(nn.Module):
    """A recurrent layer and a linear one over every step, as taggers have."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.r, self.o = cell, nn.Linear(5 * (2 if cell.bidirectional else 1), 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.o(self.r(x)[0])


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LSTM(6, 5, batch_first=True), nn.LSTM(5, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x)[0])[0]


def built(module: nn.Module, *inputs: str) -> tuple[bytes, ModelContract]:
    source = source_from_module(module.eval(), [TensorSpec.parse(text) for text in inputs], OutputSpec(), "m")
    graph = attach_head(trace(source, ExportOptions()))
    return graph.data, graph.contract


class Stretched(nn.Module):
    """Resizes what comes after a recurrent layer, along the length that torch fixes there, and twice."""

    def __init__(self) -> None:
        super().__init__()
        self.r, self.u = nn.LSTM(6, 10, batch_first=True), nn.Upsample(scale_factor=(2.3, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.u(self.u(self.r(x)[0].transpose(1, 2).unsqueeze(1)))


@pytest.mark.parametrize(
    ("module", "last"),
    [
        pytest.param(Recurrent(nn.LSTM(6, 5, batch_first=True, bidirectional=True)), 3, marks=pytest.mark.soak),
        pytest.param(Recurrent(nn.GRU(6, 5, batch_first=True)), 3, marks=pytest.mark.soak),
        (Two(), 4),
    ],
)
def test_what_stands_behind_a_recurrent_layer_keeps_the_length_s_name(
    module: nn.Module, last: int, tmp_path: Path
) -> None:
    source = source_from_module(module, [TensorSpec.parse(SEQUENCE)], OutputSpec(), "m")
    exported = export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    assert exported.contract.outputs[0].shape == ("batch", "time", last)
    for batch, time in ((1, 1), (3, 11), (5, 40)):
        x = np.random.default_rng(time).standard_normal((batch, time, 6)).astype(np.float32)
        found = Predictor(tmp_path / "p").run({"x": x})["output"]
        with torch.no_grad():
            np.testing.assert_allclose(found, module(torch.from_numpy(x)).numpy(), atol=1e-5)


def test_states_that_are_inputs_have_their_shapes() -> None:
    graph, contract = built(Recurrence(), SEQUENCE, "h: float32[1, batch, 4]", "c: float32[1, batch, 4]")
    shapes = [("batch", "time", 4), (1, "batch", 4), (1, "batch", 4)]
    assert [spec.shape for spec in contract.outputs] == shapes
    assert [tuple(output.shape) for output in create_session(graph).get_outputs()] == shapes


SIZES = [
    (2.3, 9, 10),
    (2.3, 100, 10),
    (2.3, 64, 20),
    (1.1, 10, 30),
    (0.7, 10, 20),
    (3.3, 40, 7),
    (0.3, 64, 40),
    (2.0, 4, 5),
]


@pytest.mark.parametrize(("scale", "height", "width"), SIZES)
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_a_scale_that_rounds_differently_gives_torch_s_answers_on_every_backend(
    scale: float, height: int, width: int, mode: str
) -> None:
    module, x = nn.Upsample(scale_factor=scale, mode=mode), torch.randn(2, 3, height, width)
    graph, contract = built(module, f"x: float32[batch, 3, {height}, {width}]")
    wanted, session = module(x).numpy(), create_session(graph)
    assert contract.outputs[0].shape == ("batch", *wanted.shape[1:])
    assert tuple(session.get_outputs()[0].shape) == contract.outputs[0].shape
    evaluated = ReferenceEvaluator(onnx.load_from_string(graph)).run(None, {"x": x.numpy()})[0]
    tolerance = 0 if mode == "nearest" else 1e-4
    for found in (session.run(None, {"x": x.numpy()})[0], evaluated):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


def test_a_fixed_size_beside_a_dynamic_one_is_resized_twice() -> None:
    module = Stretched()
    graph, contract = built(module, SEQUENCE)
    assert contract.outputs[0].shape == ("batch", 1, 52, "time")  # 10, 23 and 52 places
    x = torch.randn(3, 11, 6)
    with torch.no_grad():
        np.testing.assert_allclose(create_session(graph).run(None, {"x": x.numpy()})[0], module(x).numpy(), atol=1e-6)


def test_upsampling_by_a_fraction_goes_the_whole_line(tmp_path: Path) -> None:
    source = source_from_module(
        nn.Upsample(scale_factor=2.3), [TensorSpec.parse("x: float32[batch, 3, 9, 10]")], OutputSpec(), "m"
    )
    exported = export_package(source, tmp_path / "p", ExportOptions(plots=False))
    assert exported.contract.outputs[0].shape == ("batch", 3, 20, 23)


def test_a_size_that_has_no_name_is_declared_as_one_that_changes(tmp_path: Path) -> None:
    _, contract = built(nn.Upsample(scale_factor=2.5), "x: float32[batch, 3, height, width]")
    assert contract.outputs[0].shape == ("batch", 3, "dim2", "dim3")
    _, contract = built(nn.Upsample(scale_factor=2), "x: float32[batch, 3, height, width]")
    assert contract.outputs[0].shape == ("batch", 3, "2*height", "2*width")


@pytest.fixture(scope="module")
def declared_too_narrowly(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    """A right file of torch's own exporter, which declares the length of its example."""
    module = Recurrent(nn.LSTM(6, 5, batch_first=True)).eval()
    example = Example.of(module, [TensorSpec.parse(SEQUENCE)])
    model = onnx.load_from_string(OnnxGraph(export_graph(module, example)).data)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 3
    path = tmp_path_factory.mktemp("narrow") / "m.onnx"
    onnx.save(model, path)
    assert create_session(path.read_bytes()).get_outputs()[0].shape == ["batch", 3, 3]
    return module, path


def test_a_file_is_checked_by_the_shapes_of_its_outputs_and_not_by_what_it_declares(declared_too_narrowly) -> None:
    module, path = declared_too_narrowly
    assert_parity(module, path, [SEQUENCE], effort="quick")


@pytest.mark.parametrize(
    ("nodes", "constants", "words"),
    [
        ([("Slice", ["raw", "zero", "two", "one"])], {"zero": [0], "two": [2], "one": [1]}, "time 3"),
        ([("ReduceSum", ["raw", "last"], {"keepdims": 0})], {"last": [2]}, "differ"),
        ([("Slice", ["raw", "zero", "one", "zero"])], {"zero": [0], "one": [1]}, "batch 2"),
    ],
)
def test_a_file_whose_answers_have_other_shapes_is_refused(
    declared_too_narrowly, nodes: list[tuple], constants: dict[str, list[int]], words: str
) -> None:
    module, path = declared_too_narrowly
    model = onnx.load(path)
    last = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["raw" if name == last else name for name in node.output]
    for kind, inputs, *options in nodes:
        model.graph.node.append(helper.make_node(kind, inputs, ["output"], **(options[0] if options else {})))
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.array(value), name) for name, value in constants.items()
    )
    output = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)
    model.graph.output[0].CopyFrom(output)
    with pytest.raises(AssertionError, match=words):
        assert_parity(module, model.SerializeToString(), [SEQUENCE], effort="quick")
