import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_training import Run
from tests.export import modules

pytestmark = pytest.mark.slow

MODULE = "tests.export.modules:NotebookClassifier"
OPTIONS = ["--arg", "num_inputs=2", "--arg", "num_hidden=4", "--arg", "num_outputs=1", "--task", "binary",
           "--output", "probabilities", "--input", "features: float32[batch, 2]"]  # fmt: skip
AS_LOGITS = ["logits" if option == "probabilities" else option for option in OPTIONS]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    state_dict = modules.NotebookClassifier(2, 4, 1).state_dict()
    torch.save(state_dict, tmp_path / "w.pt")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(state_dict))
    return tmp_path / "w.pt"


def test_export_tells_what_it_compared(parity, xor_run: Run, tmp_path: Path) -> None:
    answer = parity("export", xor_run.path, tmp_path / "p")
    assert answer.code == 0
    assert "agree with torch" in answer.out
    assert f"package: {tmp_path / 'p'}" in answer.out


def test_an_external_module_is_exported_from_the_command_line(parity, weights: Path, tmp_path: Path) -> None:
    answer = parity("export", MODULE, tmp_path / "p", "--weights", weights, *OPTIONS, "--classes", "no,yes",
                    "--features", "a,b", "--no-plots", "--effort", "quick")  # fmt: skip
    assert answer.code == 0, answer
    (tmp_path / "t.csv").write_text("b,a\n0.5,0.25\n")
    assert parity("predict", tmp_path / "p", tmp_path / "t.csv").out.startswith(
        "b,a,label,probability_no,probability_yes\n0.5,0.25,"
    )


@pytest.mark.parametrize(
    ("source", "options", "code", "word"),
    [
        ("absent", [], 1, "is not a run"),
        ("w.pt", [], 1, "parity export package.module:Class TARGET --weights w.pt"),
        ("absent:Net", ["--weights", "w.pt"], 1, "No module named 'absent'; modules are imported from "),
        ("tests/export/modules.py:Net", [], 1, "without .py: tests.export.modules:Net"),
        ("tests.export.modules:Absent", ["--weights", "w.pt"], 1, "no callable 'Absent'"),
        ("tests.export.modules:not_a_module", ["--weights", "w.pt"], 1, "gives a int"),
        ("tests.export.modules:broken", ["--weights", "w.pt"], 1, "vocabulary.txt"),
        (
            MODULE,
            ["--weights", "w.pt", "--arg", "num_inputs=2"],
            1,
            "give it --arg num_hidden=VALUE --arg num_outputs=VALUE",
        ),
        (MODULE, ["--weights", "w.pt", *OPTIONS[:6]], 1, "as in --input 'x: float32[batch, 2]'"),
        (MODULE, ["--weights", "w.pkl", *OPTIONS], 1, "does not load as tensors alone"),
        (MODULE, [], 1, "num_inputs"),
        (MODULE, OPTIONS, 1, "are random (two calls differ in linear1.weight"),
        (MODULE, ["--weights", "absent.pt", *OPTIONS], 1, "no weights file"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--arg", "num_hidden=5"], 1, "linear1.weight"),
        (MODULE, ["--weights", "w.pt", *AS_LOGITS], 1, "ends in Sigmoid"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--output", "logits"], 1, "takes one --output, not 2"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--input", "features"], 1, "is not a tensor"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--task", "guess"], 2, "guess"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--arg", "oops"], 2, "name=value"),
        ("RUN", ["--task", "binary"], 2, "--task"),
    ],
)
def test_a_mistake_has_its_exit_code_and_its_word(
    parity, monkeypatch, xor_run: Run, weights: Path, source: str, options: list[str], code: int, word: str
) -> None:
    monkeypatch.chdir(weights.parent)
    before = sorted(weights.parent.iterdir())
    answer = parity("export", str(xor_run.path) if source == "RUN" else source, "p", *options)
    assert answer.code == code, answer
    assert word in answer.err
    assert "Traceback" not in answer.err
    assert code == 2 or len(answer.err.splitlines()) == 1, answer
    assert sorted(weights.parent.iterdir()) == before


def test_a_table_for_a_model_without_rows_names_the_way_from_python(parity, tmp_path: Path) -> None:
    torch.save(torch.nn.Bilinear(2, 2, 3).state_dict(), tmp_path / "w.pt")
    sizes = [f"--arg={name}" for name in ("in1_features=2", "in2_features=2", "out_features=3")]
    inputs = [f"--input=input{index}: float32[batch, 2]" for index in (1, 2)]
    exported = parity("export", "torch.nn:Bilinear", tmp_path / "p", "--weights", tmp_path / "w.pt", *sizes, *inputs,
                      "--task", "multiclass", "--effort", "quick", "--no-plots")  # fmt: skip
    assert exported.code == 0, exported
    np.save(tmp_path / "t.npy", np.zeros((3, 2), np.float32))
    np.savez(tmp_path / "t.npz", input1=np.zeros((3, 2), np.float32))
    for name in ("t.npy", "t.npz"):
        answer = parity("predict", tmp_path / "p", tmp_path / name)
        assert answer.is_refused(1, "not rows of a table", "run({'input1': ..., 'input2': ...})"), answer


def test_a_module_of_int32_goes_the_whole_line(parity, tmp_path: Path) -> None:
    torch.save(torch.nn.Embedding(9, 3).state_dict(), tmp_path / "w.pt")
    arguments = ("--weights", tmp_path / "w.pt", "--arg", "num_embeddings=9", "--arg", "embedding_dim=3")
    assert (
        parity(
            "export", "torch.nn:Embedding", tmp_path / "p", *arguments, "--input", "x: int32[batch, 4]", "--no-plots"
        ).code
        == 0
    )
    answer = parity("bench", tmp_path / "p", "--seconds", "0.01", "--json")
    assert answer.code == 0, answer


@pytest.mark.parametrize("option", ["--input", "--arg", "--weights-key", "--strip-prefix"])
def test_an_option_that_a_run_does_not_take_is_named_as_it_is_written(parity, tmp_path: Path, option: str) -> None:
    answer = parity("export", tmp_path, tmp_path / "package", option, "x=1")
    assert answer.code == 2 and f"{option} is for package.module:Callable" in answer.err


@pytest.mark.parametrize("command", ["check", "diff"])
@pytest.mark.parametrize("option", ["--arg", "--weights", "--weights-key", "--strip-prefix"])
def test_check_and_diff_refuse_what_export_refuses(parity, tmp_path: Path, command: str, option: str) -> None:
    answer = parity(command, tmp_path, "tests/data/xor/model.onnx", option, "x=1")
    assert answer.code == 2 and f"{option} is for package.module:Callable" in answer.err


@pytest.mark.parametrize("command", ["export", "check", "diff"])
def test_a_file_of_python_is_asked_for_its_callable(parity, tmp_path: Path, command: str) -> None:
    model = tmp_path / "package" if command == "export" else "tests/data/xor/model.onnx"
    answer = parity(command, "nets/mine.py", model)
    assert answer.code == 2 and "of nets/mine.py name one: mine:Net" in answer.err


@pytest.mark.parametrize("command", ["export", "check", "diff"])
def test_a_module_takes_no_network_of_a_run(parity, tmp_path: Path, command: str) -> None:
    torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / "w.pt")
    model = tmp_path / "package" if command == "export" else "tests/data/xor/model.onnx"
    options = ("--weights", tmp_path / "w.pt", "--network", "torch.nn:Linear", "--input", "x: float32[batch, 2]")
    answer = parity(command, "torch.nn:Linear", model, *options)
    assert answer.code == 2 and "--network is for a run folder; torch.nn:Linear names the network" in answer.err
    assert not (tmp_path / "package").exists()


def test_what_is_no_run_is_called_none_whatever_else_was_given(parity, tmp_path: Path) -> None:
    assert parity("export", "absent", tmp_path / "p", "--arg", "a=1").is_refused(1, "absent is not a run")


@pytest.mark.slow
def test_dropout_that_is_left_on_is_a_no_of_the_gate(parity, tmp_path: Path) -> None:
    torch.save(modules.Linear().state_dict(), tmp_path / "w.pt")
    command = ("export", "tests.export.modules:Noisy", tmp_path / "p", "--weights", tmp_path / "w.pt")
    answer = parity(*command, "--input", "x: float32[batch, 5]")
    assert answer.is_refused(3, "same rows each time", "dropout"), answer


@pytest.mark.slow
@pytest.mark.parametrize("model", ["", "model.onnx"])
def test_check_of_a_package_names_the_commands_for_packages(
    parity, xor_run: Run, xor_package: Path, model: str
) -> None:
    answer = parity("check", xor_run.path, xor_package / model)
    assert answer.is_refused(1, "parity verify", "parity diff"), answer
