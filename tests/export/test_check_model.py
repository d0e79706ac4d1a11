"""ONNX files of other exporters, and the first value that diverges."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from parity_export import OutputSpec, assert_parity, check_model, source_from_module
from parity_runtime import InputError
from parity_training import Run
from tests.export import modules

pytestmark = pytest.mark.slow

SPEC = "x: float32[batch, 5]"
TORCHS_OWN = pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning")


@pytest.fixture
def module() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)).eval()


def exported(module: torch.nn.Module, path: Path, *, dynamic: bool = True) -> Path:
    shapes = ({0: torch.export.Dim("rows")},) if dynamic else None
    torch.onnx.export(module, (torch.zeros(2, 5),), path, dynamo=True, external_data=False, verbose=False,
                      input_names=["x"], dynamic_shapes=shapes)  # fmt: skip
    return path


def nudged(path: Path, amount: float) -> Path:
    model = onnx.load(path)
    tensor = next(one for one in model.graph.initializer if one.name == "2.bias")
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + np.float32(amount), tensor.name))
    changed = path.with_name("nudged.onnx")
    onnx.save(model, changed)
    return changed


@TORCHS_OWN
def test_an_honest_file_passes_with_specifications_and_with_real_inputs(module, tmp_path: Path) -> None:
    path = exported(module, tmp_path / "m.onnx")
    assert_parity(module, path, [SPEC])
    assert_parity(module, path.read_bytes(), {"x": np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)})


@TORCHS_OWN
def test_a_wrong_weight_and_a_fixed_batch_fail_with_their_reasons(module, tmp_path: Path) -> None:
    path = exported(module, tmp_path / "m.onnx")
    with pytest.raises(AssertionError, match=r"values of .* differ, by up to 0\.0"):
        assert_parity(module, nudged(path, 0.01), [SPEC])
    assert_parity(module, nudged(path, 0.01), [SPEC], rtol=0.0, atol=0.02)
    with pytest.raises(AssertionError, match=r"the graph has x: float32\[2, 5\]; expected x: float32\[batch, 5\]"):
        assert_parity(module, exported(module, tmp_path / "fixed.onnx", dynamic=False), [SPEC])
    with pytest.raises(AssertionError, match="inputs are x; expected y"):
        assert_parity(module, path, ["y: float32[batch, 5]"])


def test_what_is_no_model_is_one_sentence(module, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    for name, words in (("absent.onnx", "cannot read"), ("text.onnx", "is not an ONNX model")):
        with pytest.raises(InputError, match=words):
            assert_parity(module, tmp_path / name, [SPEC])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    torch.manual_seed(3)
    module = modules.Linear()
    torch.save(module.state_dict(), tmp_path / "w.pt")
    torch.onnx.export(module.eval(), (torch.zeros(2, 5),), tmp_path / "m.onnx", dynamo=True, external_data=False,
                      verbose=False, input_names=["x"], dynamic_shapes=({0: torch.export.Dim("n")},))  # fmt: skip
    model = onnx.load(tmp_path / "m.onnx")
    tensor = next(one for one in model.graph.initializer if one.name == "l.weight")
    changed = numpy_helper.to_array(tensor).copy()
    changed[1, 2] += np.float32(0.01)
    tensor.CopyFrom(numpy_helper.from_array(changed, "l.weight"))
    onnx.save(model, tmp_path / "bad.onnx")
    return {name: str(tmp_path / name) for name in ("w.pt", "m.onnx", "bad.onnx", "report.json")}


@TORCHS_OWN
def test_check_compares_a_file_from_the_command_line(parity, files: dict[str, str]) -> None:
    options = ["--weights", files["w.pt"]]
    answer = parity("check", "tests.export.modules:Linear", files["m.onnx"], *options)
    assert answer.code == 0, answer
    assert "agree with torch" in answer.out
    answer = parity("check", "tests.export.modules:Linear", files["bad.onnx"], *options, "--out", files["report.json"])
    assert answer.is_refused(3, "computes something else than the module", "differ"), answer
    assert '"passed": false' in Path(files["report.json"]).read_text()
    answer = parity("check", "tests.export.modules:Linear", "absent.onnx", *options)
    assert answer.is_refused(1, "cannot read the model absent.onnx"), answer


@TORCHS_OWN
def test_diff_names_the_first_value_that_diverges(parity, files: dict[str, str]) -> None:
    options = ["--weights", files["w.pt"]]
    answer = parity("diff", "tests.export.modules:Linear", files["bad.onnx"], *options)
    assert answer.code == 3
    assert "the output of Gemm" in answer.out
    assert len(answer.err.splitlines()) == 1
    answer = parity(
        "diff", "tests.export.modules:Linear", files["bad.onnx"], *options, "--between", "disabled,extended"
    )
    assert answer.code == 0, answer
    assert parity("diff", "x:y", files["bad.onnx"], "--between", "torch,tpu").code == 2


@TORCHS_OWN
def test_diff_says_what_onnxruntime_cannot_load(parity, files: dict[str, str], tmp_path: Path) -> None:
    model = onnx.load(files["bad.onnx"])
    model.graph.node[0].op_type = "Unheard"
    (tmp_path / "unheard.onnx").write_bytes(model.SerializeToString())
    command = ("diff", "tests.export.modules:Linear", tmp_path / "unheard.onnx", "--weights", files["w.pt"])
    answer = parity(*command, "--input", SPEC, "--between", "basic,disabled")
    assert answer.is_refused(1, "Unheard"), answer


def test_diff_finds_the_node_in_a_package_s_middle(parity, xor_run: Run, xor_package: Path, tmp_path: Path) -> None:
    answer = parity("diff", xor_run.path, xor_package)
    assert answer.code == 0
    assert "between torch and onnxruntime without optimizations" in answer.out
    model = onnx.load(xor_package / "model.onnx")
    model.graph.node[1].op_type = "Softsign"
    onnx.save(model, tmp_path / "changed.onnx")
    answer = parity("diff", xor_run.path, tmp_path / "changed.onnx")
    assert answer.code == 3
    assert "first divergence    tanh, the output of Softsign" in answer.out
    assert "1 value compared before it agrees; the last is linear" in answer.out


@TORCHS_OWN
def test_diff_says_all_that_onnxruntime_says(parity, files: dict[str, str], tmp_path: Path) -> None:
    torch.save({}, tmp_path / "none.pt")
    command = ("diff", "torch.nn:Flatten", files["m.onnx"], "--weights", tmp_path / "none.pt", "--between",
               "disabled,basic")  # fmt: skip
    answer = parity(*command, "--input", "x: float32[batch, 6]")
    assert answer.is_refused(1, "onnxruntime fails", "index: 1 Got: 6 Expected: 5"), answer


@TORCHS_OWN
def test_diff_compares_the_rows_that_are_given(parity, files: dict[str, str], tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", x=np.zeros((3, 5), np.float32))  # the changed weight is multiplied by zero
    options = ("--weights", files["w.pt"], "--samples", tmp_path / "s.npz")
    answer = parity("diff", "tests.export.modules:Linear", files["bad.onnx"], *options)
    assert (answer.code, answer.out.split(":")[0]) == (0, "no divergence"), answer
    np.savez(tmp_path / "s.npz", x=np.ones((3, 5), np.float32))
    answer = parity("diff", "tests.export.modules:Linear", files["bad.onnx"], *options)
    assert answer.code == 3 and "largest difference  0.01, where" in answer.out


@TORCHS_OWN
def test_a_module_that_fails_everywhere_is_told_in_a_dozen_lines(module, tmp_path: Path) -> None:
    path = exported(module, tmp_path / "m.onnx")
    with pytest.raises(AssertionError, match=r"in \d+ of \d+ configurations") as failed:
        assert_parity(module, nudged(path, 0.01), [SPEC])
    lines = str(failed.value).splitlines()
    assert len(lines) <= 12 and "source_from_module" in lines[-1]


@TORCHS_OWN
def test_a_module_that_draws_random_numbers_fails_the_assertion(tmp_path: Path) -> None:
    path = exported(modules.Linear().eval(), tmp_path / "m.onnx")
    with pytest.raises(AssertionError, match="same rows each time"):
        assert_parity(modules.Noisy(), path, [SPEC])


@TORCHS_OWN
def test_what_the_gate_found_is_one_line(module, tmp_path: Path) -> None:
    path = exported(module, tmp_path / "m.onnx")
    source = source_from_module(module, [SPEC], OutputSpec(), "m")
    passed, refused = check_model(source, path.read_bytes()), check_model(source, nudged(path, 0.01).read_bytes())
    assert re.fullmatch(r"GateResult\(passed, \d+ values in \d+ configurations\)", repr(passed))
    assert re.fullmatch(r"GateResult\(refused, \d+ reasons\)", repr(refused))
    assert repr(passed.report) == repr(passed).replace("GateResult", "Report")
