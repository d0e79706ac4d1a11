"""Where what is sorted ties, the order is nobody's: detectors and segmentations export, and defects are found."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.gate.tie_order import TieOrder
from parity_export.gate.torch_reference import TorchReference
from parity_export.select_test_vectors import nothing_to_record
from parity_runtime import Predictor
from tests.export.test_decisions import expected_of, logits_of
from tests.export.test_sabotage import Function, check_refused, exported
from tests.runtime.test_task_contracts import contract_of
from tests.soak import sampled

TWELVE = ["x: float32[batch, 12]"]
IDS = ["ids: int64[batch, 12]"]
IMAGE = ["image: float32[batch, 3, 8, 8]"]
STEP = torch.arange(1.0, 13)


class Detector(nn.Module):
    """A head without suppression: the boxes of the best scores."""

    def __init__(self, activation=torch.sigmoid) -> None:
        super().__init__()
        self.body, self.score, self.box = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 2, 1), nn.Conv2d(8, 4, 1)
        self.activation = activation

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.body(image).relu()
        scores = self.activation(self.score(features).flatten(2).transpose(1, 2))  # [batch, places, classes]
        boxes = self.box(features).flatten(2).transpose(1, 2)  # [batch, places, 4]
        score, label = scores.max(-1)
        score, index = score.topk(5, dim=1)
        return boxes.gather(1, index[..., None].expand(-1, -1, 4)), score, label.gather(1, index)


class Ids(nn.Module):
    """A function of indices."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, ids: Tensor) -> object:
        return self.function(ids)


def segmentation(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), *more, Function(lambda _, x: x.argmax(1)))


TIED: dict[str, tuple[nn.Module, list[str]]] = {
    "a detector": (Detector(), IMAGE),
    "a detector whose scores tie": (Detector(functional.relu), IMAGE),
    "a segmentation": (segmentation(), ["input: float32[batch, 3, 8, 8]"]),
    "a segmentation of ties": (
        segmentation(nn.ReLU(), nn.Upsample(scale_factor=2)),
        ["input: float32[batch, 3, 8, 8]"],
    ),
    "an order of ties in every row": (Function(lambda _, x: functional.relu(x).argsort(1)), TWELVE),
    "integers": (Ids(lambda ids: (ids % 4).sort(1)), IDS),
    "the best of integers": (Ids(lambda ids: (ids % 4).topk(3, 1)[1] * 1.5), IDS),
    "rounded numbers": (Function(lambda _, x: (x * STEP).gather(1, x.round().topk(4, 1)[1])), TWELVE),
    "a sigmoid beside a half": (Function(lambda _, x: x.sigmoid() > 0.5), TWELVE),
    "a beam": (Function(lambda self, x: self.l(x).log_softmax(1).topk(5, 1), l=nn.Linear(12, 30)), TWELVE),
    "a size that is no whole multiple": (nn.Upsample(scale_factor=2.3), ["input: float32[batch, 3, 9, 10]"]),
}
FEW_TIED = {
    "a detector whose scores tie", "a segmentation of ties", "integers", "rounded numbers", "a sigmoid beside a half",
    "a size that is no whole multiple",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(TIED, FEW_TIED))
def test_an_honest_module_exports_and_answers_like_torch(name: str, tmp_path) -> None:
    module, inputs = TIED[name]
    torch.manual_seed(0)
    source = source_from_module(module.eval(), inputs, OutputSpec(), "m")
    predictor = Predictor(export_package(source, tmp_path / "p", ExportOptions(plots=False)).path)
    source = dataclasses.replace(source, contract=predictor.contract)
    (spec,) = predictor.contract.inputs
    shape, random = [37 if size == "batch" else size for size in spec.shape], np.random.default_rng(8)
    rows = random.integers(0, 9, shape) if spec.dtype == "int64" else random.normal(0, 1, shape).astype(np.float32)
    wanted, found = TorchReference(source)({spec.name: rows}), predictor.run({spec.name: rows})
    for one, array in wanted.items():
        assert np.isclose(found[one], array, rtol=1e-4, atol=1e-4).mean() > 0.999


def best(_: object, x: Tensor) -> tuple[Tensor, Tensor]:
    value, index = functional.relu(x).topk(4, dim=1)
    return (x * STEP).gather(1, index), value


@pytest.mark.slow
def test_ties_widen_no_tolerance(tmp_path) -> None:
    """Between the orders of two ties lies an order of magnitude more than rounding: no other value may use it."""
    source = source_from_module(Function(best), TWELVE, OutputSpec(), "m")
    exported_package = export_package(source, tmp_path / "p", ExportOptions(plots=False))
    tolerance = exported_package.contract.tolerance
    assert max(tolerance[name].floor for name in tolerance) < 1e-4


@pytest.mark.slow
def test_a_value_that_is_gathered_where_nothing_ties_must_be_right() -> None:
    """Off by a thousandth, which the differences between the orders of tied rows exceed a thousand times."""
    model = exported(Function(best), TWELVE)
    gather = next(node for node in model.graph.node if node.op_type == "GatherElements")
    name, gather.output[0] = gather.output[0], "raw"
    model.graph.node.append(helper.make_node("Mul", ["raw", "more"], [name]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1.001, np.float32), "more"))
    check_refused(Function(best), model, TWELVE, "ordinary probes")


@pytest.mark.slow
def test_the_smallest_in_the_place_of_the_best_are_found() -> None:
    model = exported(Function(best), TWELVE)
    next(
        one for one in next(n for n in model.graph.node if n.op_type == "TopK").attribute if one.name == "largest"
    ).i = 0
    check_refused(Function(best), model, TWELVE, "ordinary probes")


@pytest.mark.slow
def test_a_module_that_sorts_missing_cells_says_that_they_are_not_compared() -> None:
    from parity_export.gate.report import Report
    from parity_export.gate.run_gate import run_gate
    from parity_export.graph.attach_head import attach_head
    from parity_export.graph.trace import trace

    def report_of(module: nn.Module) -> Report:
        source = source_from_module(module, TWELVE, OutputSpec(), "m")
        return run_gate(attach_head(trace(source, ExportOptions()))).report

    sorting = report_of(TIED["rounded numbers"][0])
    assert sorting.passed and any("backends order NaN differently" in line for line in sorting.not_run)
    assert not report_of(Function(lambda _, x: torch.where(torch.isnan(x), 0.0, x))).not_run


def test_rows_without_a_steady_answer_are_no_sign_of_a_network_that_is_not_trained() -> None:
    contract = contract_of("tagging")
    finite = logits_of(contract)
    assert "rounding alone changes the outputs of m" in nothing_to_record(contract, expected_of(contract, finite))
    assert "is the module trained?" in nothing_to_record(contract, expected_of(contract, finite * np.nan))
    finite[..., 1] = -np.inf
    assert "such as -1e9" in nothing_to_record(contract, expected_of(contract, finite))


def test_a_reference_sorts_as_onnx_does_and_the_other_way_round() -> None:
    source = source_from_module(Function(lambda _, x: x.round().topk(2, 1)[1]), TWELVE, OutputSpec(), "m")
    rows = np.tile(np.float32([1, 3, 3, 0, 3, 1, 0, 0, 0, 0, 0, 0]), (2, 1))
    found = []
    for highest_first in (False, True):
        reference = TorchReference(source, highest_first=highest_first)
        found.append(reference({"x": rows})["output"].tolist())
        assert reference({"x": rows})["output"].tolist() == found[-1]
        assert (reference.order.orders, reference.order.ties, reference.order.unordered) == (True, True, False)
    assert found == [[[1, 2]] * 2, [[4, 2]] * 2]


def test_a_nan_among_what_is_sorted_is_seen() -> None:
    with TieOrder(lowest=True) as order:
        torch.tensor([1.0, float("nan")]).sort()
    assert order.unordered and not order.ties
