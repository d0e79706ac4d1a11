"""Far probes, and a referee with faults of its own, do not refuse what is right; they refuse what breaks in kind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper
from torch import Tensor, nn
from torch.nn import functional

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.export import Exported
from parity_runtime import TensorSpec
from tests.export.test_sabotage import TABLE, Function, append, check_refused, exported
from tests.older_onnxruntime import refused_before
from tests.parity.architectures import STATES, Recurrence

pytestmark = pytest.mark.slow

IMAGE = ["x: float32[batch, 3, 9, 10]"]


def export(module: nn.Module, specs: list[str], folder: Path) -> Exported:
    source = source_from_module(module.eval(), [TensorSpec.parse(spec) for spec in specs], OutputSpec(), "m")
    return export_package(source, folder / "p", ExportOptions(plots=False))


@pytest.mark.parametrize("seed", range(2))
def test_a_stateful_lstm_exports(seed: int, tmp_path: Path) -> None:
    torch.manual_seed(seed)
    assert export(Recurrence(), [*STATES], tmp_path).gate_result.report.passed


class Gated(nn.Module):
    """A cell whose gate multiplies a state without a bound: at 1e6 the kernel's error of a sigmoid is worth 0.2."""

    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(4, 4)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        return torch.tanh(self.l(x)) + state * torch.sigmoid(self.l(x) / 50 - 12)


def test_the_error_of_a_gate_times_a_million_decides_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    export(Gated(), ["x: float32[batch, 4]", "state: float32[batch, 4]"], tmp_path)


def test_a_saturated_answer_that_is_wrong_for_large_numbers_alone_is_found() -> None:
    module = Function(lambda self, x: torch.tanh(self.l(x)), l=nn.Linear(4, 3))
    nn.init.uniform_(module.l.weight, -0.01, 0.01)
    model = exported(module, TABLE)
    nodes = [helper.make_node("Clip", ["raw", "low", "high"], ["OUT"])]
    append(model, nodes, {"low": np.array(-0.9, np.float32), "high": np.array(0.9, np.float32)})
    check_refused(module, model, TABLE, r"\(large probes\)")


def test_a_nan_for_large_numbers_alone_is_found() -> None:
    module = nn.Linear(4, 3)
    model = exported(module, TABLE)
    nodes = [
        helper.make_node("Exp", ["raw"], ["grown"]),
        helper.make_node("Log", ["grown"], ["OUT"]),
    ]
    append(model, nodes, {})
    check_refused(module, model, TABLE, r"by up to inf")


def sampled(_: object, x: Tensor) -> Tensor:
    grid = torch.tanh(x[:, :2].permute(0, 2, 3, 1)) * 1.2
    return functional.grid_sample(x, grid, mode="bicubic", padding_mode="border", align_corners=False)


EVALUATOR_FAULTS = {
    "Resize": lambda _, x: functional.interpolate(x, scale_factor=1.7, mode="bilinear", align_corners=True),
    "MaxPool": lambda _, x: functional.max_pool2d(x, 3, return_indices=True),
    "GridSample": sampled,
}


@pytest.mark.parametrize("operator", [
    "Resize", pytest.param("MaxPool", marks=[refused_before("1.29"), pytest.mark.soak]),
    pytest.param("GridSample", marks=pytest.mark.soak),
])  # fmt: skip
def test_the_reference_evaluator_does_not_refuse_alone(operator: str, tmp_path: Path) -> None:
    report = export(Function(EVALUATOR_FAULTS[operator]), IMAGE, tmp_path).gate_result.report
    told = report.evaluator + report.not_run
    assert len(told) == 1
    assert operator in told[0]
    assert report.to_json()["evaluator"] == report.evaluator


def test_a_wrong_graph_is_refused_although_the_evaluator_has_faults() -> None:
    module = Function(EVALUATOR_FAULTS["MaxPool"])
    model = exported(module, IMAGE)
    pool = next(node for node in model.graph.node if node.op_type == "MaxPool")
    next(one for one in pool.attribute if one.name == "storage_order").i = 1
    check_refused(module, model, IMAGE, "onnxruntime")


def test_log_sigmoid_is_refused_where_it_answers_infinity() -> None:
    module = nn.Sequential(nn.Linear(4, 2), nn.LogSigmoid())
    nn.init.constant_(module[0].weight, 60.0)
    check_refused(module, exported(module, TABLE), TABLE, "by up to inf")


@pytest.mark.parametrize(
    "function",
    [
        *(torch.exp, torch.sinh, torch.sqrt, torch.log, lambda x: x.pow(2.2)),
        lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
    ],
    ids=["exp", "sinh", "sqrt", "log", "pow", "standardized"],
)  # fmt: skip
def test_what_overflows_or_is_no_number_on_both_sides_is_no_difference(function, tmp_path: Path) -> None:
    torch.manual_seed(0)
    export(Function(lambda self, x: function(self.l(x)), l=nn.Linear(4, 3)), TABLE, tmp_path)
