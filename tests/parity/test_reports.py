"""Each public report is tried: it answers as the module does in float64, or it is refused for a reason that is true."""

import copy
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
import torch
from torch import nn

from parity_export import ExportOptions, ModelSource, OutputSpec, assert_parity, export_package, source_from_module
from parity_export.graph.torch_export import export_program
from parity_runtime import InputError, ParityRefusedError, Predictor, TensorSpec
from parity_runtime.inference.session import create_session
from tests.older_onnxruntime import refused_before
from tests.parity.fresh_rows import TWO_FLOAT32_RESULTS, fresh_inputs
from tests.parity.reports import EXCUSED, REPORTS, VALUES, Report

Inputs = dict[str, np.ndarray]

OTHERWISE = 1e-3  # far above what two float32 results differ by

DOCS = Path(__file__).parents[2] / "docs" / "explanation" / "parity.md"


LONGEST = 9


def graph_of(report: Report) -> bytes:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> report {report.graph}')
    onnx.checker.check_model(model)
    return model.SerializeToString()


def in_float64(module: nn.Module, inputs: Inputs) -> list[np.ndarray]:
    tensors = [torch.from_numpy(array) for array in inputs.values()]
    with torch.no_grad():
        returned = copy.deepcopy(module).double()(
            *[one.double() if one.is_floating_point() else one for one in tensors]
        )
    return [tensor.numpy() for tensor in torch.utils._pytree.tree_leaves(returned)]


def assert_it_answers(
    source: ModelSource, answer: Callable[[Inputs], Sequence[np.ndarray]], longest: int = LONGEST
) -> None:
    for batch, length in ((5, longest), (1, 4)):
        inputs = fresh_inputs(source.contract, batch, length)
        for found, wanted in zip(answer(inputs), in_float64(source.module, inputs), strict=True):
            assert found.shape == wanted.shape
            scale = max(1.0, float(np.abs(wanted).max())) if wanted.dtype.kind == "f" else 0.0
            np.testing.assert_allclose(found, wanted, rtol=0, atol=TWO_FLOAT32_RESULTS * scale)


def try_export(report: Report, folder: Path) -> None:
    if report.refusal:
        with pytest.raises((ParityRefusedError, InputError), match=report.refusal):
            export_package(source_of(report), folder / "p")
        return
    source = source_of(report)
    export_package(source, folder / "p", ExportOptions(plots=False))
    if report.outcome.startswith(EXCUSED):
        return
    predictor = Predictor(folder / "p")
    limits = [rule.high for rule in predictor.contract.dimension_rules if rule.high is not None]
    assert_it_answers(source, lambda inputs: list(predictor.run(inputs).values()), min([LONGEST, *limits]))


def try_graph(report: Report, source: ModelSource) -> None:
    model = graph_of(report)
    if report.refusal:
        with pytest.raises(AssertionError, match=report.refusal):
            assert_parity(source.module, model, report.inputs)
        return
    assert_parity(source.module, model, report.inputs)
    session = create_session(model)
    assert_it_answers(source, lambda inputs: session.run(None, inputs))


def source_of(report: Report) -> ModelSource:
    torch.manual_seed(1)
    specs = [TensorSpec.parse(text) for text in report.inputs]
    return source_from_module(report.module().eval(), specs, OutputSpec(), "report")


POOLING = (
    "pytorch/pytorch#183528",
    "pytorch/pytorch#131272",
    "microsoft/onnxruntime#15446",
    "microsoft/onnxruntime#22177",
)


LONG = {
    "microsoft/onnxscript#562", "onnx/onnx#8203", "pytorch/pytorch#42653", "pytorch/pytorch#58368",
    "pytorch/pytorch#60179", "pytorch/pytorch#61034", "pytorch/pytorch#80783", "pytorch/pytorch#86690",
    "pytorch/pytorch#110347", "pytorch/pytorch#128930", "pytorch/pytorch#166797", "pytorch/pytorch#183528",
    "pytorch/pytorch#186146", "pytorch/pytorch#191855",
}  # fmt: skip
"""Those that take longest."""


def marks(report: Report) -> list[pytest.MarkDecorator]:
    found = [pytest.mark.soak] if report.number in LONG else []
    if report.number in POOLING:  # mistakes of onnxruntime's pooling
        return [*found, refused_before("1.21", (ParityRefusedError, AssertionError))]
    return [*found, pytest.mark.xfail(reason=report.gap)] if report.gap else found


@pytest.mark.parametrize("report", [pytest.param(report, id=report.number, marks=marks(report)) for report in REPORTS])
@pytest.mark.slow
def test_it_answers_as_the_module_or_is_refused_for_its_reason(report: Report, tmp_path: Path) -> None:
    if report.graph:
        try_graph(report, source_of(report))
    else:
        try_export(report, tmp_path)


def runs(report: Report, source: ModelSource) -> Callable[[Inputs], Sequence[np.ndarray]]:
    """Return onnxruntime's answers to the graph as it is, or as torch.onnx.export makes it."""
    proto = export_program(source.module, source.example).model_proto if not report.graph else None
    session = create_session(graph_of(report) if proto is None else proto.SerializeToString())
    return lambda inputs: session.run(None, inputs)


@pytest.mark.parametrize("report", [pytest.param(report, id=report.number) for report in REPORTS if report.witness])
@pytest.mark.slow
def test_onnxruntime_really_answers_otherwise_where_values_are_the_reason(report: Report) -> None:
    """No gate takes part: the graph, onnxruntime, and the module in float64."""
    source = source_of(report)
    inputs = {
        spec.name: np.asarray(value, spec.dtype)
        for spec, value in zip(source.contract.inputs, report.witness, strict=True)
    }
    found, wanted = runs(report, source)(inputs)[0], in_float64(source.module, inputs)[0]
    assert np.isfinite(wanted).all()
    assert found.shape == wanted.shape
    with np.errstate(invalid="ignore"):
        assert not (np.abs(found.astype(np.float64) - wanted) <= OTHERWISE).all(), (found, wanted)


NEEDLESS = [report for report in REPORTS if report.gap and not report.refusal]


@pytest.mark.parametrize("report", [pytest.param(report, id=report.number) for report in NEEDLESS])
@pytest.mark.slow
def test_onnxruntime_answers_as_the_module_where_a_gap_refuses_it(report: Report) -> None:
    torch._dynamo.reset()  # torch.cond keeps what it compiled under a gate's dispatch mode, and fails on it
    source = source_of(report)
    assert_it_answers(source, runs(report, source))


def test_every_refusal_for_values_and_every_excuse_has_a_witness() -> None:
    differs = {report.number for report in REPORTS if report.refusal == VALUES or report.outcome.startswith(EXCUSED)}
    assert differs == {report.number for report in REPORTS if report.witness}


def test_the_table_of_the_docs_names_the_same_reports() -> None:
    section = DOCS.read_text().split("## Public reports that were tried")[1].split("\n## ")[0]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines() if "#" in line]
    assert [row for row in rows if re.fullmatch(r"[\w.-]+/[\w.-]+#\d+", row[1])] == [report.row for report in REPORTS]
    assert len({report.number for report in REPORTS}) == len(REPORTS)
