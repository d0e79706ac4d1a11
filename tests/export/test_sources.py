"""Checkpoints of every usual make, samples, options, and the mistakes that go with them."""

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from parity_export import ExportOptions, OutputSpec, assert_parity, export_package, load_sample, source_from_module
from parity_export.graph.onnx_versions import check_loads, oldest_onnxruntime
from parity_runtime import InputError, Package, Predictor, TensorSpec
from parity_runtime.inference.session import import_onnxruntime
from parity_training import load_state_dict, weights_id
from tests.export import modules

TABLE5 = (TensorSpec("x", "float32", ("batch", 5)),)
EXPORT = ["export", "tests.export.modules:Linear"]
INPUT = ["--input", "x: float32[batch, 5]"]


@pytest.fixture
def state_dict() -> dict[str, torch.Tensor]:
    return dict(modules.Linear().state_dict())


def test_safetensors_lightning_and_ddp_checkpoints_give_the_same_weights(state_dict, tmp_path: Path) -> None:
    save_file(state_dict, tmp_path / "w.safetensors")
    torch.save(
        {"state_dict": {f"model.{name}": one for name, one in state_dict.items()}, "epoch": 3}, tmp_path / "l.ckpt"
    )
    torch.save({f"module.{name}": one for name, one in state_dict.items()}, tmp_path / "ddp.pt")
    found = [
        load_state_dict(tmp_path / "w.safetensors"),
        load_state_dict(tmp_path / "l.ckpt", "state_dict", "model."),
        load_state_dict(tmp_path / "ddp.pt", strip_prefix="module."),
    ]
    assert {weights_id(one) for one in found} == {weights_id(state_dict)}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("l.ckpt", [], "--weights-key state_dict or --weights-key ema"),
        ("l.ckpt", ["--weights-key", "weights"], "has no entry 'weights'; it holds state_dict, ema, epoch"),
        ("other.pt", [], "'l.weight' is missing"),
        ("extra.pt", [], "--ignore 'criterion.*'"),
        ("wide.pt", [], "float32[3, 9]; the network has float32[3, 5]; it has with --arg inputs=9"),
        ("wide.pt", ["--arg", "outputs=4"], "(and 1 more); is it another network's, or one that was built with"),
        ("l.ckpt", ["--weights-key", "state_dict", "--strip-prefix", "net."], "does not begin with the prefix 'net.'"),
        ("bad.safetensors", [], "is not a safetensors file"),
        ("absent.safetensors", [], "there is no weights file"),
        ("bomb.pt", [], "is compressed and inflates"),
    ],
)
def test_a_checkpoint_that_does_not_fit_says_what_to_do(
    parity, state_dict, tmp_path: Path, name: str, options: list[str], words: str
) -> None:
    prefixed = {f"model.{key}": one for key, one in state_dict.items()}
    torch.save({"state_dict": prefixed, "ema": state_dict, "epoch": 3}, tmp_path / "l.ckpt")
    torch.save({"w": torch.zeros(3, 5)}, tmp_path / "other.pt")
    torch.save({**state_dict, "criterion.w": torch.zeros(1), "criterion.v": torch.zeros(1)}, tmp_path / "extra.pt")
    torch.save(modules.Linear(9).state_dict(), tmp_path / "wide.pt")
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 64)
    torch.save({"l.weight": torch.zeros(1_000_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry))
    answer = parity(*EXPORT, tmp_path / "p", "--weights", tmp_path / name, *options, *INPUT)
    assert answer.is_refused(1, words), answer
    assert not (tmp_path / "p").exists()


@pytest.mark.slow
def test_real_samples_are_asked_and_bad_ones_refused(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    np.savez(tmp_path / "s.npz", x=rows)
    source = source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m", load_sample(tmp_path / "s.npz", TABLE5))
    exported = export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    assert exported.gate_result.oracle is not None
    assert exported.gate_result.oracle.probes.counts()["sample"] == 40
    np.savez(tmp_path / "wide.npz", x=rows[:, :3])
    np.savez(tmp_path / "named.npz", y=rows)
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], object))
    (tmp_path / "text.npz").write_text("no")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)})
    unreadable = dict.fromkeys(("pickled", "text", "absent", "huge"), "cannot read")
    reasons = {"wide": "shape", "named": "no input 'y'"} | unreadable
    for name, words in reasons.items():
        with pytest.raises(InputError, match=words):
            load_sample(tmp_path / f"{name}.npz", TABLE5)


@pytest.mark.slow
@pytest.mark.parametrize(("opset", "ir_version", "oldest"), [(18, 8, "1.14"), (20, None, "1.18"), (21, 10, "1.18")])
def test_opset_and_ir_version_are_chosen_and_the_oldest_onnxruntime_recorded(
    opset: int, ir_version: int | None, oldest: str, tmp_path: Path
) -> None:
    source = source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m")
    exported = export_package(source, tmp_path / "p", ExportOptions(opset=opset, ir_version=ir_version, plots=False))
    model = onnx.load(tmp_path / "p" / "model.onnx")
    assert model.opset_import[0].version == opset
    assert ir_version in (None, model.ir_version)
    assert exported.contract.min_onnxruntime == oldest


@pytest.mark.slow
@pytest.mark.parametrize(("opset", "ir_version"), [(25, None), (None, 13), (25, 13)])
def test_versions_beyond_the_known_releases_are_those_of_the_installed_onnxruntime(
    opset: int | None, ir_version: int | None, tmp_path: Path
) -> None:
    try:
        check_loads(opset or 18, ir_version or 8)
    except InputError:
        pytest.skip("the installed onnxruntime is older")
    source = source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m")
    exported = export_package(source, tmp_path / "p", ExportOptions(opset=opset, ir_version=ir_version, plots=False))
    assert exported.contract.min_onnxruntime == ".".join(import_onnxruntime().__version__.split(".")[:2])


def test_versions_that_onnxruntime_does_not_load_are_refused_before_torch_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where onnx is newer than onnxruntime; torch would refuse the module for another reason."""
    monkeypatch.setattr(onnx, "IR_VERSION", 99)
    source = source_from_module(modules.Branching(), TABLE5, OutputSpec(), "m")
    with pytest.raises(InputError, match="does not load opset 18 with IR version 99, .*choose a lower opset or"):
        export_package(source, tmp_path / "p", ExportOptions(ir_version=99))
    with pytest.raises(InputError, match="does not load opset 999 with IR version 8"):
        oldest_onnxruntime(999, 8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"opset": 9}, "opset 9 is not between"),
        ({"ir_version": 99}, "IR version 99"),
        ({"rtol": 1e-3}, "together"),
        ({"rtol": -1.0, "atol": 0.0}, "at least 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ExportOptions(**options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_tolerance_that_a_person_set_is_named_in_report_and_card(tmp_path: Path) -> None:
    source = source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m")
    export_package(source, tmp_path / "p", ExportOptions(rtol=0.01, atol=0.1, plots=False))
    report = json.loads((tmp_path / "p" / "parity.json").read_text())
    assert "set by hand" in report["tolerances"]["ordinary"]["output"]["source"]
    assert "rtol 0.01, atol 0.1" in (tmp_path / "p" / "README.md").read_text()


def test_force_never_replaces_a_folder_that_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").write_text("years of work")
    source = source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m")
    with pytest.raises(InputError, match="holds no package"):
        export_package(source, tmp_path / "p", ExportOptions(replace=True))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        export_package(source, tmp_path / "file" / "p")
    assert (tmp_path / "p" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": "multiclass", "output": "logits", "threshold": 0.9}, "^threshold is for task binary"),
        ({"task": "multiclass", "output": "logits", "positive": "b"}, "^positive is for"),
        ({"task": "regression", "classes": ("a",)}, "^classes is for"),
        ({"task": "tensors", "targets": ("y",)}, "^targets is for"),
        ({"task": "regression", "targets": ("y", "y", "z")}, "target names repeat"),
        ({"task": "regression", "targets": ("x1", "y", "z")}, "a feature is called 'x1'"),
        ({"task": "regression", "features": ("a", "", "c", "d", "e")}, "is empty"),
        ({"task": "multiclass", "output": "logits", "classes": ("a", "b\nc", "d")}, "do not print"),
        ({"task": "multiclass", "output": "logits", "features": ("label", "b", "c", "d", "e")}, "rename it"),
    ],
)
def test_options_that_would_be_lost_or_names_that_cannot_work_are_refused(given: dict, words: str) -> None:
    from parity_runtime import ParityError

    with pytest.raises(ParityError, match=words):
        source_from_module(modules.Linear(), TABLE5, OutputSpec(**given), "m")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": "binry"}, "^task is 'binry', not one of 'binary', .*; did you mean binary"),
        ({"task": "binary", "output": "logit"}, "^output is 'logit', not one of .*; did you mean logits"),
        ({"task": "binary", "threshold": 1.0}, "^threshold 1.0 is not strictly between"),
        (
            {"task": "multiclass", "output": "logits", "classes": "abc"},
            r"classes is the text 'abc'; .* such as \['abc'\]",
        ),
        ({"task": None}, "^task is None"),
    ],
)
def test_a_wrong_spec_is_refused_where_it_is_made(given: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        OutputSpec(**given)


@pytest.mark.parametrize("inputs", ["x: float32[batch, 5]", TABLE5[0]])
def test_one_specification_alone_is_no_list_of_them(inputs: object) -> None:
    with pytest.raises(InputError, match=r"inputs is 'x: float32.*give a list: inputs=\['x: float32\[batch, 5\]'\]"):
        source_from_module(modules.Linear(), inputs, OutputSpec(), "m")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give a list"):
        assert_parity(modules.Linear(), Path("tests/data/xor/model.onnx"), inputs)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "classes"), [("01,02,03", ["01", "02", "03"]), pytest.param("-1,0,1", [-1, 0, 1], marks=pytest.mark.soak)]
)
def test_class_names_are_kept_as_they_are_written(parity, state_dict, tmp_path: Path, text: str, classes: list) -> None:
    torch.save(state_dict, tmp_path / "w.pt")
    answer = parity(*EXPORT, tmp_path / "p", "--weights", tmp_path / "w.pt", *INPUT, "--task", "multiclass",
                    "--output", "logits", f"--classes={text}")  # fmt: skip
    assert answer.code == 0, answer
    assert list(Package.open(tmp_path / "p").contract.classes) == classes


@pytest.mark.slow
def test_verbose_shows_torch_s_own_reason(parity, state_dict, tmp_path: Path) -> None:
    torch.save(state_dict, tmp_path / "w.pt")
    arguments = ["export", "tests.export.modules:Branching", tmp_path / "p", "--weights", tmp_path / "w.pt", *INPUT]
    assert parity(*arguments).is_refused(1, "torch cannot export the module")
    assert "Traceback" in parity(*arguments, "--verbose").err


@pytest.mark.slow
def test_a_model_that_returns_tensors_is_run_and_not_predicted(parity, state_dict, tmp_path: Path) -> None:
    torch.save(state_dict, tmp_path / "w.pt")
    assert parity(*EXPORT, tmp_path / "p", "--weights", tmp_path / "w.pt", *INPUT, "--features", "a,b,c,d,e").code == 0
    assert parity("predict", tmp_path / "p", "--row", "1,2,3,4,5").is_refused(1, "without a meaning")
    assert Predictor(tmp_path / "p").run({"x": [[1, 2, 3, 4, 5]]})["output"].shape == (1, 3)


def test_specifications_are_taken_as_text_like_everywhere() -> None:
    spelled = source_from_module(modules.Linear(), ["x: float32[batch, 5]"], OutputSpec(), "m")
    assert spelled.contract.inputs == source_from_module(modules.Linear(), TABLE5, OutputSpec(), "m").contract.inputs
    with pytest.raises(InputError, match="float31"):
        source_from_module(modules.Linear(), ["x: float31[batch, 5]"], OutputSpec(), "m")
