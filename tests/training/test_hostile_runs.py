"""Runs, recipes and checkpoints of strangers: one sentence each, no code, no memory."""

import io
import json
import pickle
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from parity_runtime import FormatError, InputError, ParityError
from parity_training import Run, load_state_dict
from parity_training.data.table_settings import TableSettings
from parity_training.data.xor import XORSettings, xor_data
from parity_training.settings import TrainSettings
from parity_training.train import resume, train_xor
from parity_training.weights.weights_file import load_object, save_object
from tests.warm_process import WarmProcess

pytestmark = pytest.mark.slow

HUGE = 10**15
SMALL = XORSettings(size=64, validation_size=8, test_size=8, epochs=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_xor(tmp_path_factory.mktemp("hostile") / "run", SMALL).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def change(run: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    recipe = json.loads((run / "recipe.json").read_text())
    edit(recipe)
    (run / "recipe.json").write_text(json.dumps(recipe))


RECIPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a network of 10^15 neurons": lambda r: r["network"]["arguments"].update(num_hidden=HUGE),
    "10^30 neurons": lambda r: r["network"]["arguments"].update(num_hidden=10**30),
    "a negative width": lambda r: r["network"]["arguments"].update(num_hidden=-4),
    "no neuron": lambda r: r["network"].update(
        name="MLP", arguments={"num_inputs": 2, "num_outputs": 1, "hidden": [0]}),
    "a huge layer": lambda r: r["network"].update(
        name="MLP", arguments={"num_inputs": 2, "num_outputs": 1, "hidden": [HUGE]}),
    "a million layers": lambda r: r["network"].update(
        name="MLP", arguments={"num_inputs": 2, "num_outputs": 1, "hidden": [1] * 10**6}),
    "text for a width": lambda r: r["network"]["arguments"].update(num_hidden="four"),
    "another argument": lambda r: r["network"]["arguments"].update({"\u202e": "\x1b"}),
    "an activation that is a number": lambda r: r["network"].update(
        name="MLP", arguments={"num_inputs": 2, "num_outputs": 1, "activation": 5}),
    "a huge preprocessing": lambda r: r["network"].update(preprocessing={"num_features": HUGE}),
    "a list for preprocessing": lambda r: r["network"].update(preprocessing=[]),
    "null for tables": lambda r: r["network"].update(preprocessing={"num_features": 2, "tables": None}),
    "another network": lambda r: r["network"].update(name="os:system"),
    "another model's contract": lambda r: r["contract"]["features"].pop(),
    "no targets": lambda r: r["contract"].update(targets=[]),
    "settings of another type": lambda r: r["training"].update(optimizer=5),
    "a rate that is no number": lambda r: r["training"].update(learning_rate="NaN"),
    "a million processes": lambda r: r["training"].update(num_workers=10**6),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_hostile_recipe_is_one_sentence(run: Path, name: str) -> None:
    change(run, RECIPES[name])
    with pytest.raises(ParityError) as caught:
        Run.open(run).module()
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700
    (run / "state_dict.pt").unlink()
    with pytest.raises(ParityError) as caught:
        resume(run, xor_data(SMALL))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 700


def test_weights_that_fit_a_huge_recipe_by_a_stride_of_nothing_take_no_memory(run: Path) -> None:
    change(run, RECIPES["a network of 10^15 neurons"])
    one = torch.zeros(1)
    sizes = {"linear1.weight": (HUGE, 2), "linear1.bias": (HUGE,), "linear2.weight": (1, HUGE), "linear2.bias": (1,)}
    torch.save({name: one.expand(size) for name, size in sizes.items()}, run / "state_dict.pt")
    with pytest.raises(InputError, match="its tensors would take"):
        Run.open(run).module()


def test_tied_and_expanded_tensors_of_an_honest_size_are_loaded(tmp_path: Path) -> None:
    weight = torch.ones(300, 300)
    torch.save({"a": weight, "b": weight, "c": torch.ones(1).expand(1000)}, tmp_path / "w.pt")
    assert set(load_state_dict(tmp_path / "w.pt")) == {"a", "b", "c"}


def test_a_recipe_that_never_ends_is_not_read(run: Path) -> None:
    with (run / "recipe.json").open("r+b") as file:
        file.truncate(2**32)  # a hole: it takes no disk
    with pytest.raises(FormatError, match="has more than"):
        Run.open(run)


class Call:
    """Pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def pickled(path: Path, value: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(value, protocol=2))
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
    return path


def test_a_pickle_that_asks_for_memory_by_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds a bytearray"):
        load_state_dict(pickled(tmp_path / "w.pt", {"a": Call(bytearray, 10**10)}))
    (tmp_path / "plain.pt").write_bytes(pickle.dumps({"a": Call(bytearray, 10**10)}, protocol=2))
    with pytest.raises(InputError, match="holds a bytearray"):
        load_state_dict(tmp_path / "plain.pt")
    torch.save(OrderedDict(bytearray=torch.zeros(1)), tmp_path / "name.pt")  # a name is none
    assert list(load_state_dict(tmp_path / "name.pt")) == ["bytearray"]


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(40), b"PK\x05\x06" + bytes(18), b"\x80\x02."], ids=range(3))
def test_a_broken_archive_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(InputError, match=r"w\.pt"):
        load_state_dict(tmp_path / "w.pt")


CHECKPOINTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no model": lambda state: state.pop("model"),
    "another network's weights": lambda state: state["model"].update({"linear1.bias": torch.zeros(9)}),
    "a list": lambda state: state.update(model=[]),
    "a sum of losses without end": lambda state: state.update(loss_sum=torch.zeros(10**5, dtype=torch.float64)),
    "no sum of losses": lambda state: state.pop("loss_sum"),
    "best weights of another network": lambda state: state.update(
        best_weights={"x": torch.zeros(1)}, epoch=1, best_epoch=1
    ),
    "an epoch below zero": lambda state: state.update(epoch=-2),
    "an epoch without end": lambda state: state.update(epoch=10**30),
    "more steps than an epoch has": lambda state: state.update(step=10**9),
    "an epoch that is none": lambda state: state.update(epoch="x"),
    "no random state": lambda state: state.update(rng=torch.zeros(3, dtype=torch.uint8)),
    "an optimizer of nothing": lambda state: state.update(optimizer={}),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_hostile_checkpoint_is_one_sentence(run: Path, name: str) -> None:
    (run / "state_dict.pt").unlink()
    state = load_object(run / "checkpoint.pt")
    CHECKPOINTS[name](state)
    save_object(state, run / "checkpoint.pt")
    with pytest.raises(ParityError, match=r"checkpoint\.pt") as caught:
        resume(run, xor_data(SMALL))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "damage", ["torch.ones(1)", "torch.ones(1).expand(value.shape)", "value.double().to(torch.int64)"]
)
def test_an_optimizer_s_state_that_does_not_fit_is_refused_and_not_read_beyond_its_end(
    warm: WarmProcess, tmp_path: Path, damage: str
) -> None:
    """In a process of its own: torch's fused kernels corrupt the heap."""
    code = f"""
import torch, dataclasses
from parity_runtime import ParityError
from parity_training.fitting.prepare import NetworkChoice
from parity_training.settings import TrainSettings
from parity_training.train import resume, train_model
from parity_training.weights.weights_file import load_object, save_object
from parity_training.data.xor import XORSettings, xor_data
from pathlib import Path
data = xor_data(XORSettings(size=64, validation_size=8, test_size=8))
out = Path({str(tmp_path / "run")!r})
train_model(data, NetworkChoice("XORClassifier", {{"num_hidden": 1000}}), TrainSettings(epochs=1), out)
(out / "state_dict.pt").unlink()
recipe = (out / "recipe.json").read_text()
(out / "recipe.json").write_text(recipe.replace('"epochs": 1,', '"epochs": 3,'))
state = load_object(out / "checkpoint.pt")
for entry in state["optimizer"]["state"].values():
    for name, value in entry.items():
        if name != "step":
            entry[name] = {damage}
save_object(state, out / "checkpoint.pt")
try:
    resume(out, data)
except ParityError as error:
    print(error)
"""
    done = warm.run(["-c", code])
    assert done.returncode == 0, done.err
    assert "not a checkpoint of this run: its exp_avg" in done.out or "int64" in damage, done.out


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (TrainSettings, {"epochs": 1.5}), (TrainSettings, {"batch_size": True}), (TrainSettings, {"seed": "1"}),
        (TrainSettings, {"learning_rate": float("nan")}), (TrainSettings, {"clip_norm": float("inf")}),
        (TrainSettings, {"optimizer_arguments": []}), (TrainSettings, {"class_weights": ["a"]}),
        (TrainSettings, {"device": 0}), (TrainSettings, {"weight_decay": float("nan")}),
        (XORSettings, {"size": HUGE}), (XORSettings, {"std": float("nan")}), (XORSettings, {"size": "5"}),
        (TableSettings, {"target": 5}), (TableSettings, {"target": "y", "features": "abc"}),
        (TableSettings, {"target": "y", "threshold": "half"}), (TableSettings, {"target": "y", "task": "guess"}),
    ],
)  # fmt: skip
def test_settings_of_another_type_are_named(kind: Any, settings: dict[str, Any]) -> None:
    name = list(settings)[-1]
    with pytest.raises(InputError, match=rf"\b{name}\b"):
        kind(**settings)


@pytest.mark.parametrize(
    "line",
    [b"\xff", b"[]", b'{"epoch": 1}', b'{"epoch": "x", "loss": 1, "validation_loss": null}',
     b'{"epoch": 1, "loss": [], "validation_loss": 0.5, "accuracy": 1}', b"{" * 10**5],
    ids=range(6),
)  # fmt: skip
def test_hostile_epochs_are_one_sentence(parity, run: Path, line: bytes) -> None:  # type: ignore[no-untyped-def]
    (run / "metrics.jsonl").write_bytes((run / "metrics.jsonl").read_bytes() + line + b"\n")
    answer = parity("plot", run)
    assert answer.is_refused(1, "metrics.jsonl"), answer


def test_train_asks_where_the_run_goes_before_it_reads_the_table(parity, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    answer = parity("train", tmp_path / "absent.csv", "--target", "y", "--out", "/proc/run")
    assert answer.is_refused(1, "cannot write /proc/run"), answer


def test_the_fixture_s_run_is_whole(run: Path) -> None:
    assert Run.open(run).module() is not None
    buffer = io.BytesIO()
    torch.save(Run.open(run).state_dict(), buffer)
    assert buffer.tell()


def test_paths_that_are_no_utf_8_are_read_and_no_run_is_written_there(parity, run: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import os

    from safetensors.torch import save_file

    byte = os.fsdecode(b"\xff")
    weights = tmp_path / f"w{byte}.safetensors"
    save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").rename(weights)
    assert load_state_dict(weights)["a"].tolist() == [1, 1]
    assert Run.open(run.rename(tmp_path / f"run{byte}")).module() is not None
    answer = parity("train", "xor", "--out", tmp_path / f"new{byte}")
    assert answer.is_refused(1, "new\\udcff has a name that is not UTF-8"), answer
