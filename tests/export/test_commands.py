from pathlib import Path

import pytest
import torch

from parity_training import Run
from tests.export import modules

pytestmark = pytest.mark.slow

MODULE = "tests.export.modules:NotebookClassifier"
OPTIONS = ["--arg", "num_inputs=2", "--arg", "num_hidden=4", "--arg", "num_outputs=1", "--task", "binary",
           "--output", "probabilities", "--input", "features: float32[batch, 2]"]  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(modules.NotebookClassifier(2, 4, 1).state_dict(), tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_export_tells_what_it_compared(parity, xor_run: Run, tmp_path: Path) -> None:
    answer = parity("export", xor_run.path, tmp_path / "p")
    assert answer.code == 0
    assert "agree with torch" in answer.out
    assert f"package: {tmp_path / 'p'}" in answer.out


def test_an_external_module_is_exported_from_the_command_line(parity, weights: Path, tmp_path: Path) -> None:
    answer = parity("export", MODULE, tmp_path / "p", "--weights", weights, *OPTIONS, "--classes", "no,yes",
                    "--features", "a,b")  # fmt: skip
    assert answer.code == 0, answer
    (tmp_path / "t.csv").write_text("b,a\n0.5,0.25\n")
    assert parity("predict", tmp_path / "p", tmp_path / "t.csv").out.startswith(
        "b,a,label,probability_no,probability_yes\n0.5,0.25,"
    )


@pytest.mark.parametrize(
    ("source", "options", "code", "word"),
    [
        ("absent", [], 1, "is no run"),
        ("absent:Net", ["--weights", "w.pt"], 1, "cannot import absent"),
        ("tests.export.modules:Absent", ["--weights", "w.pt"], 1, "no callable 'Absent'"),
        ("tests.export.modules:not_a_module", ["--weights", "w.pt"], 1, "gives a int"),
        ("tests.export.modules:broken", ["--weights", "w.pt"], 1, "vocabulary.txt"),
        (MODULE, ["--weights", "w.pt"], 1, "num_inputs"),
        (MODULE, [], 2, "--weights"),
        (MODULE, ["--weights", "absent.pt", *OPTIONS], 1, "no weights file"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--arg", "num_hidden=5"], 1, "linear1.weight"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--output", "logits"], 1, "ends in Sigmoid"),
        (MODULE, ["--weights", "w.pt", *OPTIONS, "--input", "features"], 1, "is no tensor"),
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


def test_a_module_of_int32_goes_the_whole_line(parity, tmp_path: Path) -> None:
    torch.save(torch.nn.Embedding(9, 3).state_dict(), tmp_path / "w.pt")
    arguments = ("--weights", tmp_path / "w.pt", "--arg", "num_embeddings=9", "--arg", "embedding_dim=3")
    assert parity("export", "torch.nn:Embedding", tmp_path / "p", *arguments, "--input", "x: int32[batch, 4]").code == 0
    answer = parity("bench", tmp_path / "p", "--seconds", "0.01", "--json")
    assert answer.code == 0, answer


@pytest.mark.parametrize("option", ["--input", "--arg", "--weights-key", "--strip-prefix"])
def test_an_option_that_a_run_does_not_take_is_named_as_it_is_written(parity, tmp_path: Path, option: str) -> None:
    answer = parity("export", tmp_path, tmp_path / "package", option, "x=1")
    assert answer.code == 2 and f"{option} goes with package.module:Callable" in answer.err
