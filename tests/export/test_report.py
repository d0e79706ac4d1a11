"""What parity.json holds, and what a package weighs."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module, source_from_run
from parity_export.gate.backends import REFERENCE, backends
from parity_export.gate.gate_plan import BATCH_SIZES
from parity_runtime import InputError, TensorSpec
from parity_training import Run

KILOBYTE = 1000
SPEC = "x: float32[batch, 4]"
TORCHS_OWN = pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")


class Sequences(nn.Module):
    """A value a step, and one for the whole: two outputs, a dynamic length."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # [batch, time, 3]
        steps = torch.tanh(self.linear(x))
        return steps, steps.mean(dim=1)


@pytest.fixture(scope="module")
def certified(xor_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("p") / "xor"
    return export_package(source_from_run(xor_run), target, ExportOptions(certified=True)).path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    source = source_from_module(Sequences(), [TensorSpec("x", "float32", ("batch", "time", 3))], OutputSpec(), "m")
    options = ExportOptions(report="full", plots=False)
    return report_of(export_package(source, tmp_path_factory.mktemp("p") / "m", options).path / "parity.json")


def report_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def configuration(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in ("runtime", "provider", "optimization", "threads"))


def test_an_xor_package_with_its_certified_graph_and_pictures_takes_120_kb(certified: Path) -> None:
    sizes = {str(path.relative_to(certified)): path.stat().st_size for path in certified.rglob("*") if path.is_file()}
    assert sizes.keys() >= {"model_certified.onnx", "plots/errors.png", "plots/margins.png", "plots/band.png"}
    assert sum(sizes.values()) <= 120 * KILOBYTE, sizes


def test_the_card_shows_the_pictures_where_they_lie(certified: Path) -> None:
    card = (certified / "README.md").read_text()
    for picture in (certified / "plots").iterdir():
        assert f"![{picture.stem}](plots/{picture.name})" in card
    assert not list(certified.glob("*.png"))


def test_a_report_is_a_row_for_each_backend_and_output(certified: Path) -> None:
    report = report_of(certified / "parity.json")
    assert "results" not in report
    asked = [configuration(backend.to_json()) for backend in backends((certified / "model.onnx").read_bytes())]
    outputs = ("label", "probabilities", "logits")
    rows = [(configuration(row), row["output"]) for row in report["summary"]]
    assert rows == [(backend, output) for backend in asked for output in outputs]
    assert report["batch_sizes"] == {"onnxruntime": list(BATCH_SIZES), "onnx-reference": [1, 2, 3, 7]}
    assert (report["passed"], report["reasons"], report["dimensions"]) == (True, [], [])
    for row in report["summary"]:
        assert 0 < row["compared"] <= row["values"]
        assert (row["outside"], row["outside_at"]) == (0, None)
        assert (row["output"] == "label") == (row["max_abs"] == 0) == (row["max_abs_at"] is None)
    assert all(0 < row["share"] < 1 for row in report["summary"] if row["output"] == "logits")


def test_a_report_has_a_row_a_line(certified: Path) -> None:
    lines = (certified / "parity.json").read_text().splitlines()
    rows = [json.loads(line.removesuffix(",")) for line in lines if line.startswith('    {"runtime"')]
    assert rows == report_of(certified / "parity.json")["summary"]


def test_a_full_report_holds_the_matrix_that_its_summary_sums_up(whole: dict[str, Any]) -> None:
    assert {"time": 1} in whole["dimensions"] and {"time": 17} in whole["dimensions"]
    asked = {(configuration(result), result["batch"], result["dimensions"]["time"]) for result in whole["results"]}
    assert len(asked) == len(whole["results"]) > 100
    for row in whole["summary"]:
        cells = [
            (result, found)
            for result in whole["results"]
            for found in result["differences"]
            if (configuration(result), found["output"]) == (configuration(row), row["output"])
        ]
        for key in ("values", "compared", "outside"):
            assert row[key] == sum(found[key] for _, found in cells)
        for key in ("max_abs", "max_rel", "max_ulp", "share"):
            assert row[key] == max(found[key] for _, found in cells) > 0
            (there,) = [found for result, found in cells if row[f"{key}_at"] == place(result, found)]
            assert there[key] == row[key]


def place(result: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    return {"group": found["group"], "batch": result["batch"], "dimensions": result["dimensions"]}


@pytest.fixture
def leaking(tmp_path: Path) -> list[str]:
    """A Dropout left on, which onnxruntime's optimizer removes: only what does not optimize shows it."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    torch.save(module.state_dict(), tmp_path / "w.pt")
    with pytest.warns(UserWarning, match="in training mode"):
        torch.onnx.export(
            module.train(), (torch.zeros(2, 4),), tmp_path / "m.onnx", dynamo=True, external_data=False, verbose=False,
            input_names=["x"], dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    return ["tests.export.test_report:dropping", str(tmp_path / "m.onnx"), "--weights", str(tmp_path / "w.pt")]


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))


@TORCHS_OWN
def test_the_summary_names_the_configuration_that_fails_and_a_refusal_has_all(
    parity, leaking: list[str], tmp_path: Path
) -> None:
    answer = parity("check", *leaking, "--out", tmp_path / "report.json")
    assert answer.code == 3, answer
    report = report_of(tmp_path / "report.json")
    failing = [row for row in report["summary"] if row["outside"]]
    assert failing and {row["optimization"] for row in failing} == {"disabled"}
    assert {row["threads"] for row in failing if row["runtime"] == "onnxruntime"} == {1, 2}
    worst = failing[0]["outside_at"]
    line = f"onnxruntime cpu, optimization disabled, 1 thread, batch {worst['batch']}: "
    (reason,) = [one for one in report["reasons"] if one.startswith(line) and f"({worst['group']} probes)" in one]
    assert "values of linear_1 " in reason
    assert any(found["outside"] for result in report["results"] for found in result["differences"])


@TORCHS_OWN
def test_a_check_that_passes_writes_as_much_as_it_is_told(parity, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Linear(4, 2).eval()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    torch.onnx.export(module, (torch.zeros(2, 4),), tmp_path / "m.onnx", dynamo=True, external_data=False,
                      verbose=False, dynamic_shapes=({0: torch.export.Dim("batch")},))  # fmt: skip
    command = ["check", "torch.nn:Linear", tmp_path / "m.onnx", "--weights", tmp_path / "w.pt",
               "--arg", "in_features=4", "--arg", "out_features=2"]  # fmt: skip
    for detail, holds in ((), False), (("--report", "summary"), False), (("--report", "full"), True):
        assert parity(*command, "--out", tmp_path / "r.json", *detail).code == 0
        assert ("results" in report_of(tmp_path / "r.json")) == holds, detail
    answer = parity(*command, "--report", "full")
    assert (answer.code, answer.out) == (2, "") and "add --out report.json" in answer.err


def test_the_command_exports_a_full_report(parity, xor_run: Run, tmp_path: Path) -> None:
    answer = parity("export", xor_run.path, tmp_path / "p", "--report", "full", "--no-plots")
    assert answer.code == 0, answer
    report = report_of(tmp_path / "p" / "parity.json")
    assert len(report["results"]) >= 52
    assert not (tmp_path / "p" / "plots").exists()


def test_an_amount_that_no_report_has_is_refused() -> None:
    with pytest.raises(InputError, match="report is 'all', not one of 'summary', 'full'"):
        ExportOptions(report="all")  # type: ignore[arg-type]


def test_the_evaluator_that_fails_alone_shows_in_the_summary(tmp_path: Path) -> None:
    """Resize with align_corners at a fractional scale: the evaluator computes other places, onnxruntime is right."""
    source = source_from_module(Resized(), [TensorSpec("x", "float32", ("batch", 1, 6, 6))], OutputSpec(), "m")
    report = report_of(export_package(source, tmp_path / "p", ExportOptions(plots=False)).path / "parity.json")
    assert report["passed"] and len(report["evaluator"]) == 1
    failing = [row for row in report["summary"] if row["outside"]]
    assert [row["runtime"] for row in failing] == [REFERENCE.runtime]
    assert failing[0]["outside_at"]["batch"] in (1, 2, 3, 7)
    assert math.isfinite(failing[0]["max_abs"]) and failing[0]["share"] > 1


class Resized(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=1.7, mode="bilinear", align_corners=True)
