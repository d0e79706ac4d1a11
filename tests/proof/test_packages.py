"""The proof in the line: exported, gated, recorded, asked."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.certificate import Certificate
from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.error_bounds.check_bounds import check_bounds
from parity_export.error_bounds.derive_bounds import derive_bounds
from parity_export.error_bounds.elementary_functions import Accuracy
from parity_export.export_graph import ExportGraph
from parity_export.gate.run_gate import run_gate
from parity_export.graph.attach_head import attach_head
from parity_export.graph.trace import trace
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError, ParityRefusedError, Predictor, TensorSpec, verify
from parity_runtime.package.manifest import write_manifest
from tests.export.modules import NotebookClassifier
from tests.proof.networks import SUBJECTS, Subject
from tests.soak import sampled

SPECS = [TensorSpec("features", "float32", ("batch", 2))]
BINARY = OutputSpec("binary", "logits", ("no", "yes"))
pytestmark = pytest.mark.slow


def source_of(module: nn.Module, output_spec: OutputSpec = BINARY) -> ModelSource:
    torch.manual_seed(0)
    return source_from_module(module, SPECS, output_spec, "model")


def small(*middle: nn.Module) -> ModelSource:
    torch.manual_seed(0)
    return source_of(nn.Sequential(nn.Linear(2, 6), *middle, nn.Linear(6, 1)))


@pytest.fixture(scope="module")
def subject() -> Subject:
    return SUBJECTS["xor"]()


@pytest.fixture(scope="module")
def package(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_package(subject.source, tmp_path_factory.mktemp("p") / "xor", ExportOptions(certified=True)).path


def test_its_probabilities_have_an_error_bound(package: Path, subject: Subject) -> None:
    proven = Predictor(package, certified=True)
    rows = np.random.default_rng(0).uniform(-0.5, 1.5, (5000, 2)).astype(np.float32)
    positive = 1 / (1 + np.exp(-subject.exact(rows)[:, 0]))
    error = np.abs(proven.predict_proba(rows) - np.stack([1 - positive, positive], axis=1))
    bound = proven.probability_error_bound(rows)
    assert (error <= bound).all() and (error / bound).max() > 0.02 and bound.max() < 1e-5


class Probabilities(nn.Module):
    """Returns probabilities that no operator at its end explains."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.layer(x)) * 1.0


def test_probabilities_that_a_module_returns_have_none(tmp_path: Path) -> None:
    source = source_of(Probabilities(), OutputSpec("binary", "probabilities", ("no", "yes")))
    package = export_package(source, tmp_path / "p", ExportOptions(certified=True, plots=False, effort="quick")).path
    with pytest.raises(InputError, match="from a module that returns logits"):
        Predictor(package, certified=True).probability_error_bound([[0, 1]])


def test_the_package_holds_the_proof(package: Path) -> None:
    assert (package / "model_certified.onnx").exists() and (package / "plots" / "band.png").exists()
    report = json.loads((package / "parity.json").read_text())["error_bounds"]
    assert report["violations"] == [] and report["torch_gaps"] == []
    assert 0 < max(report["nearest"].values()) < 1
    assert report["certified"] > 0.8 * report["rows"]
    assert "It speaks for the graph and the torch module" in (package / "README.md").read_text()


def test_a_package_with_tight_bounds_says_so_and_holds_them(subject: Subject, package: Path, tmp_path: Path) -> None:
    options = ExportOptions(certified="tight", plots=False, effort="quick")
    path = export_package(subject.source, tmp_path / "tight", options).path
    reports = [json.loads((one / "parity.json").read_text())["error_bounds"] for one in (package, path)]
    kinds = [report["bounds"] for report in reports]
    assert kinds == ["fast", "tight"] == [CertifiedModel.open(one).bounds for one in (package, path)]
    assert reports[1]["violations"] == []
    verify(path)
    rows = np.float32([[0.1, 0.9], [0.5, 0.4]])
    fast, tight = (Predictor(one, certified=True).error_bound(rows) for one in (package, path))
    assert (tight <= fast).all()


def test_hard_probes_are_held_to_the_error_bound(package: Path) -> None:
    hard = json.loads((package / "conformance.json").read_text())["hard"]
    rows = np.array(hard["inputs"]["features"]["data"], np.float32).reshape(-1, 2)
    proven = Predictor(package, certified=True)
    bound, certified = proven.error_bound(rows), proven.certified(rows)
    tolerance = np.array(hard["tolerance"]["logits"]["data"]).reshape(-1, 1)
    assert (tolerance >= bound).all() and (tolerance <= 1.1 * bound).all()
    assert hard["label_checked"]["data"] == certified.tolist()
    assert certified.any() and not certified.all()


def test_the_same_source_gives_the_same_bytes(subject: Subject, package: Path, tmp_path: Path) -> None:
    other = export_package(subject.source, tmp_path / "other", ExportOptions(certified=True)).path
    for name in ("model_certified.onnx", "conformance.json", "parity.json", "plots/band.png"):
        assert (other / name).read_bytes() == (package / name).read_bytes(), name


def test_an_error_bound_that_is_too_small_is_refused_by_the_gate(subject: Subject, tmp_path: Path) -> None:
    bound_report = derive_bounds(subject.graph)
    model = onnx.load_from_string(bound_report.model.graph.data)
    (last,) = [node for node in model.graph.node if node.op_type == "Mul" and node.output[0] in _before_bound(model)]
    for initializer in model.graph.initializer:
        if initializer.name == last.input[1]:
            initializer.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(initializer) / 50, initializer.name))
    bound_report.model = replace(bound_report.model, graph=OnnxGraph(model))
    gate_result = run_gate(subject.graph)
    assert gate_result.oracle is not None
    check_bounds(bound_report, subject.graph, gate_result.oracle)
    assert any("leave their proven error bound" in line for line in bound_report.violations)


@pytest.mark.parametrize("factor", [-1.0, np.nan], ids=["negative", "NaN"])
def test_an_error_bound_that_is_negative_or_no_number_is_refused_by_the_gate(subject: Subject, factor: float) -> None:
    bound_report = derive_bounds(subject.graph)
    bound_report.model = replace(bound_report.model, graph=_times(bound_report.model.graph, factor))
    gate_result = run_gate(subject.graph)
    assert gate_result.oracle is not None
    check_bounds(bound_report, subject.graph, gate_result.oracle)
    assert any("leave their proven error bound" in line for line in bound_report.violations)
    assert bound_report.bounded == bound_report.certified == 0
    certificate = Certificate(bound_report.model)
    name = bound_report.model.contract.inputs[0].name
    assert len(list(certificate.run([{name: np.zeros((5, 2))}, {name: np.ones((5, 2))}]))) == 10
    assert (certificate.rows, certificate.certified) == (10, 0)


def _times(graph: OnnxGraph, factor: float) -> OnnxGraph:
    """Return a certified graph whose error bounds are what they were times a number."""
    model = onnx.load_from_string(graph.data)
    (last,) = [node for node in model.graph.node if "error_bound" in node.output]
    last.output[0] = "error_bound.before"
    model.graph.initializer.append(numpy_helper.from_array(np.float32([factor]), "error_bound.factor"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["error_bound.before", "error_bound.factor"], ["error_bound"]))
    return OnnxGraph(model)


def _before_bound(model: onnx.ModelProto) -> list[str]:
    return list(next(node for node in model.graph.node if "error_bound" in node.output).input)


def test_the_gates_tolerance_is_the_error_bound_where_that_is_smaller(subject: Subject) -> None:
    bound_report = derive_bounds(subject.graph)
    gate_result = run_gate(subject.graph, (0.1, 0.1), bound_report.exact_bounds())
    allowed = gate_result.expected.allowed["logits"]
    assert np.median(allowed) < 1e-4
    assert np.median(run_gate(subject.graph, (0.1, 0.1)).expected.allowed["logits"]) > 1e-2


class Sine(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x)


def test_what_cannot_be_certified_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CannotCertifyError, match="cannot certify: operator Sin at node "):
        export_package(small(Sine()), tmp_path / "p", ExportOptions(certified=True))
    assert list(tmp_path.iterdir()) == []


MIDDLES = [
    (nn.Tanh(),), (nn.ReLU(),), (nn.Sigmoid(),), (nn.SiLU(),), (nn.GELU(),), (nn.ELU(),), (nn.SELU(),), (nn.CELU(),),
    (nn.Softplus(),), (nn.Mish(),), (nn.Hardswish(),), (nn.Hardsigmoid(),), (nn.Hardtanh(),), (nn.LeakyReLU(0.25),),
    (nn.PReLU(),), (nn.GELU("tanh"),), (nn.BatchNorm1d(6), nn.ReLU()), (nn.ReLU(), nn.Dropout(0.5)),
]  # fmt: skip
FEW_MIDDLES = {"BatchNorm1d", "GELU", "Hardswish", "Tanh"}


@pytest.mark.parametrize("middle", sampled(MIDDLES, FEW_MIDDLES, lambda middle: type(middle[0]).__name__))
def test_every_activation_goes_through_the_gate_and_covers_torch(middle: tuple[nn.Module, ...]) -> None:
    source = small(*middle)
    graph = attach_head(trace(source, ExportOptions()))
    bound_report = derive_bounds(graph)
    assert bound_report.model.torch_gaps == [] and bound_report.exact
    gate_result = run_gate(graph, None, bound_report.exact_bounds())
    assert gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert bound_report.violations == [] and gate_result.report.passed, gate_result.report.reasons()
    assert bound_report.certified is not None and bound_report.certified > 0.5 * bound_report.rows


class Residual(nn.Module):
    """Everything that a rule has to look at twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6, bias=False), nn.Linear(9, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x))
        hidden = hidden + self.second(hidden)
        gated = hidden * torch.sigmoid(self.second(hidden))
        return self.last(torch.cat([gated, hidden[:, :3].abs() * 0.5], dim=1)) - 0.25


class Convolution(nn.Module):
    """Rows of a table, folded into a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, groups=2), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 1),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.parametrize("module", [Residual, Convolution])
def test_whole_networks_go_through_the_gate(module: type[nn.Module]) -> None:
    torch.manual_seed(1)
    source = source_of(module())
    graph = attach_head(trace(source, ExportOptions()))
    bound_report = derive_bounds(graph)
    assert bound_report.model.torch_gaps == []
    gate_result = run_gate(graph, None, bound_report.exact_bounds())
    assert gate_result.oracle is not None
    check_bounds(bound_report, graph, gate_result.oracle)
    assert bound_report.violations == [] and gate_result.report.passed, gate_result.report.reasons()


def test_a_module_that_ends_in_a_sigmoid_is_covered_by_its_logits() -> None:
    output_spec = OutputSpec("binary", "probabilities", ("no", "yes"))
    source = source_of(NotebookClassifier(2, 4, 1), output_spec)
    assert derive_bounds(attach_head(trace(source, ExportOptions()))).model.torch_gaps == []


class Written(nn.Module):
    """Computes what the graph computes, in other operators."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.linear(x)
        return z * torch.sigmoid(z) * 0.3


def test_a_module_that_runs_other_operators_is_not_covered() -> None:
    source = source_of(Written())
    bound_report = derive_bounds(attach_head(trace(source, ExportOptions())))
    assert any(gap.startswith("torch runs sigmoid 1 times, the graph 0 times") for gap in bound_report.model.torch_gaps)
    assert not bound_report.exact  # 0.3 is another number in float64


class Crossed(nn.Module):
    """Two modules of the same weights and operations, wired in another way."""

    def __init__(self, *, crossed: bool, order: str = "tanh first") -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 4), nn.Linear(2, 4), nn.Linear(4, 1)
        self.crossed, self.order = crossed, order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.first(x), self.second(x)
        if self.crossed:
            first, second = second, first
        if self.order == "tanh first":
            return self.last(torch.relu(torch.tanh(-first)) - second)
        return self.last(-torch.tanh(torch.relu(first)) - second)


@pytest.mark.parametrize("other", [{"crossed": True}, {"crossed": False, "order": "relu first"}], ids=str)
def test_a_module_that_is_wired_in_another_way_is_not_covered(other: dict[str, Any]) -> None:
    source = source_of(Crossed(crossed=False))
    graph = attach_head(trace(source, ExportOptions()))
    assert derive_bounds(graph).model.torch_gaps == []
    wired = Crossed(**other)
    wired.load_state_dict(source.module.state_dict())
    (gap,) = derive_bounds(ExportGraph(source_of(wired), graph.onnx)).model.torch_gaps
    assert "from other values than the graph" in gap


def test_a_module_of_another_slope_is_not_covered() -> None:
    source = small(nn.LeakyReLU(0.25))
    graph = attach_head(trace(source, ExportOptions()))
    for slope in (0.125, 0.01):
        source.module[1].negative_slope = slope
        (gap,) = derive_bounds(graph).model.torch_gaps
        assert "leakyrelu from other values" in gap


class Kept(nn.Module):
    """Returns what it computes, or what it computes from that."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.early = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.linear(x)
        last = torch.tanh(hidden)
        return hidden if self.early else last


def test_a_module_that_returns_another_of_its_values_is_not_covered() -> None:
    source = source_of(Kept(), OutputSpec("multiclass", "logits", ("no", "yes")))
    graph = attach_head(trace(source, ExportOptions()))
    source.module.early = True
    assert derive_bounds(graph).model.torch_gaps == ["torch returns another of its values than the graph"]


class Padded(nn.Module):
    """In eval mode torch packs the rows in a nested tensor, which has no sizes and is none of numpy's arrays."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 1), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.out(self.encoder(x, src_key_padding_mask=mask == 0)[:, 0])


def test_a_padded_encoder_is_certified_as_a_graph_alone(recwarn: pytest.WarningsRecorder) -> None:
    torch.manual_seed(0)
    inputs = ["x: float32[batch, 3, 4]", "mask: int64[batch, 3] in 0..1, prefix"]
    source = source_from_module(Padded(), inputs, BINARY, "padded")
    model = derive_bounds(attach_head(trace(source, ExportOptions()))).model
    assert model.torch_gaps and any("transformer_encoder_layer" in gap for gap in model.torch_gaps)
    assert f"; {len(model.torch_gaps) - 3} reasons more in parity.json" in model.subject()
    assert not [warning for warning in recwarn if "nested" in str(warning.message)]


def test_a_sum_over_a_dimension_with_a_name_says_how_to_fix_its_size() -> None:
    inputs = ["x: float32[batch, time, 4]", "mask: int64[batch, time] in 0..1, prefix"]
    source = source_from_module(Padded(), inputs, BINARY, "padded")
    with pytest.raises(CannotCertifyError, match="dynamic dimension.*give the inputs that have it a number"):
        derive_bounds(attach_head(trace(source, ExportOptions())))


class WithAlpha(nn.Module):
    """The exporter multiplies 0.1 by 3.3 beforehand; torch does it itself."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.sub(x, 0.1, alpha=3.3))


def test_a_constant_that_torch_never_saw_is_not_covered() -> None:
    source = source_of(WithAlpha())
    gaps = derive_bounds(attach_head(trace(source, ExportOptions()))).model.torch_gaps
    assert any("sub with alpha" in gap for gap in gaps) and any(
        "did not get the graph's constant" in gap for gap in gaps
    )


def test_a_violation_stops_the_export(subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof that is wrong somewhere must never be handed over: its constants are made too small here."""
    monkeypatch.setattr("parity_export.error_bounds.operators.shared.inner_products.gamma", lambda n: n * 2.0**-34)
    monkeypatch.setattr("parity_export.error_bounds.elementary_functions.accuracy", lambda name: Accuracy(0.0, 0.0))
    with pytest.raises(ParityRefusedError, match="no package"):
        export_package(subject.source, tmp_path / "p", ExportOptions(certified=True))
    assert not (tmp_path / "p").exists()
    assert (tmp_path / "p.refused.json").exists()


def test_certify_says_what_is_proven(parity, package: Path, tmp_path: Path) -> None:
    answer = parity("certify", package)
    assert answer.code == 0 and "labels are certified" in answer.out and "100000 rows drawn" in answer.out
    table = tmp_path / "t.csv"
    table.write_text("id,x2,x1\n1,1,0\n2,1,1\n3,1e38,1e38\n")
    answer = parity("certify", package, table, "--out", tmp_path / "out")
    assert "2 of 3 labels are certified" in answer.out
    written = ", ".join(str(tmp_path / "out" / name) for name in ("band.png", "certificate.json", "uncertified.csv"))
    assert f"written: {written}" in answer.err.splitlines()
    assert "not proven: row 3: x1=1e+38, x2=1e+38" in answer.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"certificate.json", "uncertified.csv", "band.png"}
    lines = (tmp_path / "out" / "uncertified.csv").read_text().splitlines()
    assert lines[0] == "row,x1,x2,label,value_0,error_bound_0" and lines[1].startswith("3,1e+38,1e+38,")
    figures = json.loads(parity("certify", package, table, "--json").out)
    assert (figures["rows"], figures["certified"]) == (3, 2)


def test_certify_takes_a_package_without_a_certified_graph(parity) -> None:
    data = Path(__file__).parent.parent / "data"
    before = sorted(path.name for path in (data / "xor").iterdir())
    assert "500 of 500 labels are certified" in parity("certify", data / "xor", data / "test.csv").out
    assert sorted(path.name for path in (data / "xor").iterdir()) == before
    assert parity("certify", data / "series").is_refused(1, "series returns tensors without a meaning")
    assert parity("certify", data / "rent").is_refused(1, "rent does not record", "give a table of rows")
    assert parity("certify", data / "xor", "--out", data / "xor" / "x").is_refused(1, "lies inside the package")
    assert parity("certify", data / "absent").is_refused(1, "is not a package")


@pytest.mark.parametrize("name", ["model.onnx", "model_certified.onnx"])
def test_certify_reads_no_weights_from_elsewhere(parity, package: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(package, tmp_path / "copy"))
    model = onnx.load(copy / name)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "secret.bin")
    model.graph.initializer[0].ClearField("raw_data")
    (copy / name).write_bytes(model.SerializeToString())
    (copy / "manifest.json").unlink()
    write_manifest(copy)
    answer = parity("certify", copy)
    assert answer.is_refused(1, str(copy / name)), answer


def test_tensors_are_not_certified_and_nothing_is_written(tmp_path: Path) -> None:
    source = source_from_module(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), ["x: float32[batch, 3]"], OutputSpec(), "m")
    with pytest.raises(CannotCertifyError, match="returns tensors without a meaning; parity export gives it one"):
        export_package(source, tmp_path / "package", ExportOptions(certified=True))
    assert list(tmp_path.iterdir()) == []


def test_export_says_what_is_proven(parity, xor_run, tmp_path: Path) -> None:
    answer = parity("export", xor_run.path, tmp_path / "p", "--certified", "--no-plots")
    assert "probes have an error bound" in answer.out and "it holds for the graph and the torch module" in answer.out


class Gated(nn.Module):
    """A sigmoid that is no probability stands behind the one that is; the last one is reshaped, or taken in place."""

    def __init__(self, last: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 4), nn.Linear(4, 1), last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(torch.sigmoid(self.first(x))))


@pytest.mark.parametrize("last", [torch.sigmoid, lambda z: torch.sigmoid(z).reshape(-1), lambda z: z.sigmoid_()])
def test_the_sigmoid_that_a_module_ends_in_is_told_from_those_before_it(
    last: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    source = source_of(Gated(last), OutputSpec("binary", "probabilities", ("no", "yes")))
    assert derive_bounds(attach_head(trace(source, ExportOptions()))).model.torch_gaps == []


@pytest.mark.parametrize("certified", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_certify_of_images_says_where_their_proofs_are_found(parity, tmp_path: Path, certified: bool) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    spec = OutputSpec("multiclass", output="logits")
    source = source_from_module(module, ["image: float32[batch, 1, 4, 4]"], spec, "images")
    package = export_package(source, tmp_path / "p", ExportOptions(certified=certified, plots=False)).path
    answer = parity("certify", package)
    assert answer.is_refused(1, "images takes image: float32[batch, 1, 4, 4]", "in Python"), answer
    assert ("export it with parity export ... --certified" in answer.err) is not certified
    call = answer.err.partition("in Python: ")[2].partition(" returns")[0]
    if certified:
        inputs = np.zeros((2, 1, 4, 4), np.float32)
        assert call == f"Predictor({str(package)!r}, certified=True).run({{'image': ...}})"
        found = Predictor(package, certified=True).run({"image": inputs})
        assert found["error_bound"].shape == (2, 3) and found["certified"].shape == (2,)
    assert parity("certify", package, tmp_path / "absent.csv").is_refused(1, "in Python")


def test_an_operator_without_a_rule_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    source = small(Sine())
    with pytest.raises(CannotCertifyError, match=r"Sin .*no rule\); docs/explanation/proof\.md lists .* without a"):
        export_package(source, tmp_path / "p", ExportOptions(certified=True))
