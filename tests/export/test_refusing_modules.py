"""Modules that torch does not run on every question, or that no graph can be made of: one sentence, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.gate.report import Report
from parity_runtime import InputError, TensorSpec
from tests.export.test_sabotage import Function

pytestmark = pytest.mark.slow

TABLE = ("x: float32[batch, 4]",)


def report_of(module: nn.Module, specs: tuple[str, ...], folder: Path) -> Report:
    source = source_from_module(module.eval(), [TensorSpec.parse(spec) for spec in specs], OutputSpec(), "m")
    return export_package(source, folder / "p", ExportOptions(plots=False)).gate_result.report


def test_a_batch_that_torch_refuses_is_listed_and_no_backend_is_asked(tmp_path: Path) -> None:
    def forward(_: object, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and len(x) == 7:
            raise ValueError("seven rows are too few")
        return x - x.mean(0)  # rows influence one another: each size of a batch is asked

    report = report_of(Function(forward), TABLE, tmp_path)
    assert any("torch in batches of 7: seven rows are too few" in line for line in report.not_run)
    batches = {cell.batch for cell in report.results}
    assert 7 not in batches
    assert {1, 2, 3} <= batches


def checked(words: str, above: float) -> Callable[[object, Tensor], Tensor]:
    def forward(_: object, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and float(x.abs().max()) > above:
            raise ValueError(words)
        return x * 2

    return forward


def test_far_rows_that_torch_refuses_are_listed_with_its_own_sentence(tmp_path: Path) -> None:
    report = report_of(Function(checked("too large for this network", 50)), TABLE, tmp_path)
    refused = [line for line in report.not_run if "too large for this network" in line]
    assert {line.split()[2] for line in refused} >= {"large", "extreme"}
    assert not report.differences("output", "large")
    assert report.differences("output", "ordinary")


def test_rows_of_the_range_that_torch_refuses_refuse_the_export(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fails on uniform rows: too large for this network; .*takes with sample,"):
        report_of(Function(checked("too large for this network", 0.5)), TABLE, tmp_path)


def test_an_axis_of_no_elements_at_some_sizes_is_no_failure(tmp_path: Path) -> None:
    module = Function(lambda _, x: x[:, : x.shape[1] - x.shape[1] % 3] * 2)
    report = report_of(module, ("x: float32[batch, time]",), tmp_path)
    assert any(not any(found.values for found in cell.differences) for cell in report.results)
    assert report.compared


def test_what_refuses_nan_is_exported(tmp_path: Path) -> None:
    def forward(_: object, x: Tensor) -> Tensor:
        if not torch.compiler.is_exporting() and not bool(torch.isfinite(x).all()):
            raise ValueError("no numbers")
        return x * 2

    assert report_of(Function(forward), TABLE, tmp_path).nonfinite == {}


class Answers:
    def __init__(self, logits: Tensor) -> None:
        self.logits = logits


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda _, x: x[x > 0], r"the values decide the size .*\[0\].*\[\d+\]"),
        (lambda _, x: torch.nonzero(x), "the values decide the size"),
        (lambda _, x: torch.unique(x), "the values decide the size"),
        (lambda _, x: x[:, : int(x[0, 0])], "the values decide the size"),
        (lambda _, x: torch.fft.fft(x), r"complex64, .*view_as_real"),
        (lambda _, x: Answers(x), "an object of the type Answers"),
        (lambda _, x: {"y": x, "unit": "metre"}, "an object of the type str"),
        (lambda _, x: None, "returns no tensor"),
    ],
    ids=["mask", "nonzero", "unique", "item", "complex", "object", "text", "none"],
)
def test_what_no_contract_can_declare_is_refused_by_its_name(forward, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        report_of(Function(forward), TABLE, tmp_path)
    assert "\n" not in str(caught.value)
    assert "tensor(" not in str(caught.value)
