import pickle
import random
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from parity_runtime import InputError
from parity_training import apply_state_dict, load_state_dict, weights_id
from parity_training.weights.weights_file import save_object


def network() -> nn.Module:
    return nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.BatchNorm1d(3)))


def test_weights_survive_the_disk_bit_for_bit(tmp_path: Path) -> None:
    first, second = network(), network()
    save_object(first.state_dict(), tmp_path / "w.pt")
    apply_state_dict(second, load_state_dict(tmp_path / "w.pt"), "w.pt")
    assert weights_id(first.state_dict()) == weights_id(second.state_dict())
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_the_identity_of_weights_is_of_tensors_and_not_of_a_file(tmp_path: Path) -> None:
    state_dict = network().state_dict()
    for name in ("one.pt", "another.tar"):
        torch.save(state_dict, tmp_path / name)
    assert (tmp_path / "one.pt").read_bytes() != (tmp_path / "another.tar").read_bytes()
    ids = {weights_id(load_state_dict(tmp_path / name)) for name in ("one.pt", "another.tar")}
    assert ids == {weights_id(state_dict)}
    state_dict["a.bias"][0] = torch.nextafter(state_dict["a.bias"][0], torch.tensor(9.0))
    assert weights_id(state_dict) not in ids


def test_the_identity_of_known_weights_is_a_known_hash() -> None:
    import hashlib

    expected = hashlib.sha256(b"w\nfloat32\n[2]\n" + bytes.fromhex("0000803f00000040")).hexdigest()
    assert weights_id({"w": torch.tensor([1.0, 2.0])}) == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda weights: weights.pop("a.bias"), "'a.bias' is missing"),
        (lambda weights: weights.update(c=torch.zeros(1)), "no tensor 'c'"),
        (lambda weights: weights.update({"a.bias": torch.zeros(4)}), r"'a.bias' is float32\[4\]; .* float32\[3\]"),
        (lambda weights: weights.update({"a.bias": torch.zeros(3).double()}), "float64"),
    ],
)
def test_weights_of_another_network_are_refused(change, words: str) -> None:
    weights = dict(network().state_dict())
    change(weights)
    with pytest.raises(InputError, match=words):
        apply_state_dict(network(), weights, "w.pt")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"w": torch.eye(3).to_sparse()}, "sparse"),
        ({"w": torch.zeros(2, device="meta")}, "without data"),
        ({"w": 3}, "'w' is a int"),
        ([torch.zeros(1)], "list, not a state_dict"),
    ],
)
def test_what_is_no_dense_state_dict_is_refused(tmp_path: Path, value: object, words: str) -> None:
    torch.save(value, tmp_path / "w.pt")
    with pytest.raises(InputError, match=words):
        load_state_dict(tmp_path / "w.pt")


def test_a_pickle_with_code_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (Path(tmp_path / "ran").touch, ())

    torch.save({"w": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "text.pt").write_text("not weights")
    for name in ("evil.pt", "plain.pt", "text.pt", "absent.pt"):
        with pytest.raises(InputError, match=name):
            load_state_dict(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def damaged(data: bytes, kind: str, chance: random.Random) -> bytes:
    changed = bytearray(data)
    if kind == "torn":
        return data[: chance.randrange(len(data))]
    if kind == "zeroed":
        begin = chance.randrange(len(data))
        end = min(begin + 512, len(data))
        changed[begin:end] = bytes(end - begin)
    else:  # the central directory stands at the end
        changed[len(data) - 1 - chance.randrange(600)] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("kind", ["torn", "zeroed", "directory"])
def test_damaged_weights_are_one_sentence_and_never_other_weights(tmp_path: Path, kind: str) -> None:
    """torch.load takes a zeroed block for weights."""
    whole, chance = {"a": torch.randn(60, 60), "b": torch.randn(3)}, random.Random(5)
    save_object(whole, tmp_path / "w.pt")
    data, refused = (tmp_path / "w.pt").read_bytes(), 0
    for _ in range(100):
        (tmp_path / "w.pt").write_bytes(damaged(data, kind, chance))
        try:
            found = load_state_dict(tmp_path / "w.pt")
        except InputError as error:
            assert "\n" not in str(error) and str(tmp_path / "w.pt") in str(error)
            refused += 1
        else:
            assert weights_id(found) == weights_id(whole)
    assert refused > 60


def test_a_zeroed_block_is_said_to_be_damage(tmp_path: Path) -> None:
    save_object({"a": torch.ones(5000)}, tmp_path / "w.pt")
    data = (tmp_path / "w.pt").read_bytes()
    (tmp_path / "w.pt").write_bytes(data[:8192] + bytes(4096) + data[12288:])
    with pytest.raises(InputError, match=r"w.pt is damaged: the checksum of .*data/0 inside it does not fit its bytes"):
        load_state_dict(tmp_path / "w.pt")


def test_weights_that_were_saved_without_checksums_load(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(compute_crc32=False)
    try:
        torch.save({"a": torch.ones(3)}, tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(compute_crc32=True)
    assert load_state_dict(tmp_path / "w.pt")["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("cut", [0, 4, 20, 100])
def test_torn_safetensors_are_one_sentence(tmp_path: Path, cut: int) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(30)}, tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:cut])
    with pytest.raises(InputError, match="is not a safetensors file, or is damaged"):
        load_state_dict(tmp_path / "w.safetensors")
