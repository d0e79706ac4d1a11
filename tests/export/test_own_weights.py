"""Callables that load their weights themselves: a factory, a ``from_pretrained``; drawn weights are refused."""

from pathlib import Path

import pytest
import torch

from parity_export import load_module
from parity_runtime import InputError
from parity_training import weights_id
from tests.export import modules

INPUT = ["--input", "x: float32[batch, 5]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the weights of `modules.Pretrained`."""
    torch.save(modules.Pretrained().state_dict(), tmp_path / "weights.pt")
    return tmp_path


@pytest.mark.slow
def test_a_factory_and_a_class_that_load_their_own_weights_need_no_others(parity, folder: Path) -> None:
    expected = weights_id(torch.load(folder / "weights.pt", weights_only=True))
    for source, *options in (
        ("tests.export.modules:loading", "--arg", f"path={folder / 'weights.pt'}"),
        ("tests.export.modules:Pretrained.from_pretrained", "--weights", folder),
    ):
        told = parity("export", source, folder / "p", *options, *INPUT, "--force", "--no-plots")
        assert (told.code, told.err) == (0, ""), told
        assert expected in (folder / "p" / "contract.json").read_text()
        told = parity("check", source, folder / "p" / "model.onnx", *options)
        assert (told.code, told.err) == (0, ""), told
    assert '"name": "Pretrained"' in (folder / "p" / "contract.json").read_text()


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("Linear", [], "are random (two calls differ in l.weight and 1 other); give its state_dict: --weights FILE"),
        ("Linear", ["--ignore", "x.*"], "--ignore says how a file of weights is read"),
        ("Linear", ["--weights-key", "x"], "--weights-key says how a file of weights is read"),
        ("Pretrained.from_pretrained", [], "loads a folder that save_pretrained wrote: --weights FOLDER"),
        ("Pretrained.from_pretrained", ["--weights", "bert-base"], "there is no folder 'bert-base' on this machine"),
        ("Pretrained.from_pretrained", ["--weights", "FOLDER", "--arg", "head=true"], "no weights for head.weight"),
        ("Pretrained.from_pretrained", ["--weights", "FOLDER", "--strip-prefix", "a."], "--strip-prefix says how"),
        ("Pretrained.from_pretrained", ["--weights", "FOLDER", "--arg", "trust_remote_code=true"], "would run code"),
        ("Pretrained.from_pretrained", ["--weights", "FOLDER", "--arg", "weights_only=false"], "would run code"),
        ("Pretrained.nothing", [], "has no callable 'Pretrained.nothing'"),
    ],
)  # fmt: skip
def test_weights_that_would_be_drawn_or_fetched_are_refused(
    parity, folder: Path, source: str, options: list[str], words: str
) -> None:
    options = [str(folder) if option == "FOLDER" else option for option in options]
    told = parity("export", f"tests.export.modules:{source}", folder / "p", *options, *INPUT)
    assert told.is_refused(1, words), told


def test_in_python_the_way_out_is_an_argument(folder: Path) -> None:
    with pytest.raises(InputError, match="give its state_dict: weights='FILE'"):
        load_module("tests.export.modules:Linear")
    module = load_module("tests.export.modules:Pretrained.from_pretrained", weights=folder)
    assert weights_id(module.state_dict()) == weights_id(torch.load(folder / "weights.pt", weights_only=True))
    assert load_module("torch.nn:ReLU").training is False
    torch.save(modules.Linear(9).state_dict(), folder / "wide.pt")
    with pytest.raises(InputError, match=r"float32\[3, 5\]; it has with arguments=\{'inputs': 9\}"):
        load_module("tests.export.modules:Linear", weights=folder / "wide.pt")
