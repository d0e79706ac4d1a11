"""Checkpoints as they lie about: what is taken is said, and each refusal names the option that would take it."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from parity_runtime import InputError
from parity_training import load_state_dict, load_weights, weights_id

Weights = dict[str, Tensor]


class Tied(nn.Module):
    """A language model in small: its head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.lm_head = nn.Embedding(7, 3), nn.Linear(3, 7, bias=False)
        self.lm_head.weight = self.wte.weight


class Wrapped(nn.Module):
    """A body with a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.model = network()


def network() -> nn.Module:
    return nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.BatchNorm1d(3)))


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


def saved(value: object, path: Path) -> Path:
    torch.save(value, path)
    return path


@pytest.fixture
def weights() -> Weights:
    """Of a network, none as it begins."""
    torch.manual_seed(3)
    return {
        name: torch.randn(tensor.shape).bfloat16().float() if tensor.is_floating_point() else tensor + 5
        for name, tensor in network().state_dict().items()
    }


def loaded(path: Path, module: nn.Module | None = None, **options: object) -> tuple[str, str]:
    """Return the identity of what a module has after it was loaded, and what was said."""
    module = network() if module is None else module
    notes = load_weights(module, path, **options)  # type: ignore[arg-type]
    assert all("\n" not in note and note.startswith(path.name) for note in notes)
    return weights_id(module.state_dict()), "; ".join(notes)


def averaged(weights: Weights) -> object:
    model = network()
    model.load_state_dict(weights)
    return {"ema": AveragedModel(model).state_dict(), "epoch": 3}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda w: w, ""),
        (lambda w: prefixed("module.", w), "w.pt: the prefix module. is taken off the names of 7 tensors"),
        (lambda w: prefixed("module.model._orig_mod.", w), "prefix module.model. is taken off"),
        (lambda w: prefixed("_orig_mod.", w), ""),
        (lambda w: {name.replace("a.", "a._orig_mod."): one for name, one in w.items()}, ""),
        (lambda w: {"state_dict": prefixed("model.", w), "epoch": 1}, "entry state_dict; .*prefix model. is taken off"),
        (lambda w: {"state": {"net": w}, "step": torch.tensor(3)}, "entry state.net"),
        (averaged, "entry ema; .*prefix module. .*1 tensor left out that no output depends on: n_averaged"),
        (lambda w: {"model": w, "optimizer": {"state": {0: {"step": torch.tensor(1)}}}}, "entry model"),
        (lambda w: {**w, "embeddings.position_ids": torch.arange(9)}, "left out .*position_ids"),
    ],
)  # fmt: skip
def test_wrapped_and_nested_weights_are_found_and_it_is_said(
    make: Callable[[Weights], object], said: str, weights: Weights, tmp_path: Path
) -> None:
    path = saved(make(weights), tmp_path / "w.pt")
    found, notes = loaded(path)
    assert found == weights_id(weights)
    assert re.search(said, notes) if said else notes == ""


def test_the_weights_of_a_body_go_into_the_module_that_holds_it(weights: Weights, tmp_path: Path) -> None:
    module = Wrapped()
    _, notes = loaded(saved(weights, tmp_path / "w.pt"), module)
    assert weights_id(module.model.state_dict()) == weights_id(weights)
    assert notes == "w.pt: model. is put before the names of 7 tensors"
    module = Wrapped()
    _, notes = loaded(saved(prefixed("module.", weights), tmp_path / "w.pt"), module)
    assert weights_id(module.model.state_dict()) == weights_id(weights)
    assert "the prefix module. is taken off and model. is put before" in notes


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_floating_point_numbers_are_read_exactly(dtype: torch.dtype, weights: Weights, tmp_path: Path) -> None:
    cast = {name: one.to(dtype) if one.is_floating_point() else one for name, one in weights.items()}
    module = network()
    _, notes = loaded(saved(cast, tmp_path / "w.pt"), module)
    name = str(dtype).removeprefix("torch.")
    assert notes == f"w.pt: 6 tensors are {name}; read as float32, exactly"
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor.to(cast[key].dtype), cast[key])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.update({"a.bias": w["a.bias"].double() + 1e-12}), "float64.*does not hold all its digits; round"),
        (lambda w: w.update({"b.num_batches_tracked": torch.zeros((), dtype=torch.int32)}), r"int32\[\]; .*int64\[\]"),
        (lambda w: w.update({"a.bias": torch.zeros(3, dtype=torch.int64)}), r"int64\[3\]; .*float32\[3\]"),
        (lambda w: w.pop("a.bias"), "'a.bias' is missing; is it another"),
        (lambda w: w.update({"a.bias": torch.zeros(4)}), r"'a.bias' is float32\[4\]; the network has float32\[3\]"),
        (lambda w: w.update(prefixed("criterion.", dict(w))), r"ignore=\['criterion.\*'\]"),
        (lambda w: w.update(prefixed("head.fc.", {"w": w["a.bias"], "v": w["a.bias"]})), r"ignore=\['head.fc.\*'\]"),
        (lambda w: w.update({"scale": w["a.bias"]}), r"no tensor 'scale'; .*ignore=\['scale'\]"),
        (lambda w: w.update({"bn.num_batches_tracked": torch.zeros(1)}), "no tensor 'bn.num_batches_tracked'"),
        (lambda w: w.update({f"n{index}": w["a.bias"] for index in range(9)}), r"\(and 8 more\); .*ignore=\['\*'\]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_would_take_it(
    change: Callable[[Weights], object], words: str, weights: Weights, tmp_path: Path
) -> None:
    change(weights)
    with pytest.raises(InputError, match=words) as caught:
        loaded(saved(weights, tmp_path / "w.pt"))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "w.pt") in str(caught.value)
    if "ignore=" in str(caught.value):
        given = str(caught.value).partition("ignore=")[2].partition("]")[0] + "]"
        _, notes = loaded(tmp_path / "w.pt", ignore=json.loads(given.replace("'", '"')))
        assert "left out, as ignore=" in notes


def test_only_the_tensors_that_are_taken_must_be_dense(weights: Weights, tmp_path: Path) -> None:
    other = {"w": torch.eye(3).to_sparse()}
    assert loaded(saved({"model": weights, "masks": other}, tmp_path / "w.pt"))[0] == weights_id(weights)
    sparse = {**weights, "a.weight": weights["a.weight"].to_sparse()}
    with pytest.raises(InputError, match="'a.weight' is torch.sparse_coo; save it dense"):
        loaded(saved({"model": sparse}, tmp_path / "w.pt"))


def test_patterns_never_leave_out_what_the_network_has_and_say_where_they_match_nothing(
    weights: Weights, tmp_path: Path
) -> None:
    path = saved({**weights, "c.x": torch.ones(1)}, tmp_path / "w.pt")
    found, notes = loaded(path, ignore=["*", "d.*"])
    assert found == weights_id(weights)
    assert "1 tensor left out" in notes
    assert "ignore=['d.*'] matches no tensor that the network lacks" in notes
    del weights["a.bias"]
    with pytest.raises(InputError, match=r"'a\.bias' is missing"):
        loaded(saved(weights, path), ignore=["*"])
    with pytest.raises(InputError, match=r"give a list of patterns, such as \['c\.\*'\]"):
        loaded(path, ignore="c.*")


def test_one_of_several_weights_is_chosen_by_a_person(weights: Weights, tmp_path: Path) -> None:
    others = {name: tensor + 1 for name, tensor in weights.items()}
    path = saved({"model": weights, "ema": {"state_dict": others, "decay": 0.9}}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="model, ema.state_dict; choose one: key='model' or key='ema.state_dict'"):
        loaded(path)
    assert loaded(path, key="ema.state_dict")[0] == weights_id(others)
    assert loaded(path, key="ema")[0] == weights_id(others)
    assert weights_id(load_state_dict(path, "ema.state_dict")) == weights_id(others)
    with pytest.raises(InputError, match="no entry 'eam'; it holds model, ema; did you mean ema"):
        loaded(path, key="eam")
    path = saved(prefixed("student.", weights) | prefixed("teacher.", others), path)
    with pytest.raises(InputError, match=r"2 times, under the prefixes student\., teacher\.; choose one") as caught:
        loaded(path)
    assert "strip_prefix='teacher.', ignore=['student.*']" in str(caught.value)
    assert loaded(path, strip_prefix="teacher.", ignore=["student.*"])[0] == weights_id(others)
    with pytest.raises(InputError, match=r"'student\.\S+' does not begin with .*ignore=\['student\.\*'\]"):
        loaded(path, strip_prefix="teacher.")


@pytest.mark.parametrize("stored", ["wte.weight", "lm_head.weight"])
def test_a_tied_tensor_that_is_stored_once_is_not_missing(stored: str, tmp_path: Path) -> None:
    value = torch.randn(7, 3)
    save_file({stored: value}, tmp_path / "w.safetensors")
    module = Tied()
    _, notes = loaded(tmp_path / "w.safetensors", module)
    assert torch.equal(module.wte.weight, value)
    assert module.lm_head.weight is module.wte.weight
    assert f"is stored once, as {stored}" in notes
    untied = saved({"wte.weight": value, "lm_head.weight": value + 1}, tmp_path / "w.pt")
    with pytest.raises(InputError, match="'wte.weight' and 'lm_head.weight' differ, and the network has one"):
        loaded(untied, Tied())


@pytest.fixture
def sharded(weights: Weights, tmp_path: Path) -> Path:
    """A folder with an index and two files."""
    parts = {
        "model-1.safetensors": dict(list(weights.items())[:3]),
        "model-2.safetensors": dict(list(weights.items())[3:]),
    }
    for name, part in parts.items():
        save_file(part, tmp_path / name)
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in weights.values())},
        "weight_map": {key: name for name, part in parts.items() for key in part},
    }
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    return tmp_path


def rewrite(index: Path, **changed: object) -> None:
    index.write_text(json.dumps(json.loads(index.read_text()) | changed))


def test_weights_in_several_files_are_read_by_their_index_or_folder(sharded: Path, weights: Weights) -> None:
    index = sharded / "model.safetensors.index.json"
    assert {loaded(index)[0], loaded(sharded)[0]} == {weights_id(weights)}
    module = network()
    which, ignored = load_weights(module, sharded, ignore=["x"])
    assert which == f"{sharded.name}: its model.safetensors.index.json is loaded"
    assert ignored.startswith("model.safetensors.index.json: ignore=")
    (sharded / "model-1.safetensors").rename(sharded / "blob")
    (sharded / "model-1.safetensors").symlink_to(sharded / "blob")  # as huggingface_hub keeps them
    assert loaded(sharded)[0] == weights_id(weights)


def test_a_counter_that_no_answer_depends_on_may_be_missing(weights: Weights, tmp_path: Path) -> None:
    old = {name: tensor for name, tensor in weights.items() if name != "b.num_batches_tracked"}
    module = network()
    (note,) = load_weights(module, saved(old, tmp_path / "old.pt"))
    assert note == "old.pt: 1 tensor missing that no output depends on: num_batches_tracked"
    assert torch.equal(module.b.running_mean, weights["b.running_mean"])


def test_pickled_files_have_an_index_as_well(weights: Weights, tmp_path: Path) -> None:
    saved(weights, tmp_path / "pytorch_model-1.bin")
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(weights, "pytorch_model-1.bin")}))
    assert loaded(tmp_path)[0] == weights_id(weights)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder, index: (folder / "model-2.safetensors").unlink(), "model-2.* missing, with 4"),
        (lambda folder, index: rewrite(index, metadata={"total_size": 10**6}), "take 1000000: one is cut off"),
        (lambda folder, index: rewrite(index, weight_map={"a.bias": "../w.safetensors"}), "in its own folder"),
        (lambda folder, index: rewrite(index, weight_map={"a.bias": "/etc/passwd"}), "in its own folder"),
        (lambda folder, index: rewrite(index, weight_map={"a.bias": ".."}), "in its own folder"),
        (lambda folder, index: rewrite(index, weight_map={"a.x": "model-1.safetensors"}), "'a.x' lies in .*lacks"),
        (lambda folder, index: rewrite(index, weight_map=[]), "has no weight_map"),
        (lambda folder, index: [file.unlink() for file in folder.iterdir()], "holds no weights"),
        (lambda folder, index: (index.unlink(), "")[1], "several files of weights, model-1.*, model-2.*; name the one"),
    ],
)  # fmt: skip
def test_files_that_are_not_what_their_index_says_are_refused(
    change: Callable[[Path, Path], object], words: str, sharded: Path
) -> None:
    change(sharded, sharded / "model.safetensors.index.json")
    with pytest.raises(InputError, match=words) as caught:
        loaded(sharded)
    assert "\n" not in str(caught.value)
