"""Packages whose large tensors stand in weights.bin: they answer as those of one file do, and bad ones are refused."""

import copy as copying
import json
import mmap
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import DigestError, FormatError, Package, ParityError, Predictor, verify
from parity_runtime.inference.session import Optimization, create_session
from parity_runtime.package.external_tensor import ExternalTensor
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import write_manifest
from parity_runtime.package.model_scan import scan_model
from parity_runtime.package.weights import Weights, WeightsFile
from parity_runtime.package.weights_file import DTYPES, WEIGHTS, WeightsWriter
from tests.runtime.external_weights import Tensor, change_manifest, externalize, resign
from tests.runtime.protobuf import field

ROWS = np.array([[0, 1], [1, 1], [0.25, 0.75]], np.float32)
GRAPH, NODE, INITIALIZER, ATTRIBUTE, FUNCTION, EXTERNAL_DATA, DATA_LOCATION = 7, 1, 5, 5, 25, 13, 14


@pytest.fixture
def package(certified_package: Path, package_copy: Callable[[Path], Path]) -> Path:
    """XOR, certified, with its tensors in weights.bin, which both graphs share."""
    return externalize(package_copy(certified_package))


def tensors_of(package: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = json.loads((package / "manifest.json").read_text())["tensors"]
    return found


@pytest.mark.parametrize("certified", [False, True])
def test_it_answers_with_the_bits_of_one_file(package: Path, certified_package: Path, certified: bool) -> None:
    inside = Predictor(certified_package, certified=certified).run({"features": ROWS})
    outside = Predictor(package, certified=certified).run({"features": ROWS})
    assert {name: array.tobytes() for name, array in outside.items()} == {
        name: array.tobytes() for name, array in inside.items()
    }


def test_it_is_verified_and_a_bare_session_opens_it(package: Path) -> None:
    found = verify(package)
    assert (found.files, len(found.deviations)) == (len(Package.open(package).entries), 10)
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(package / "model.onnx"), providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(["label"], {"features": ROWS})[0], Predictor(package).predict(ROWS))


def test_it_never_looks_into_the_folder_that_it_runs_in(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody hands over, onnxruntime opens there: a file of the same name must make no difference."""
    wanted = Predictor(package).predict_proba(ROWS)
    (tmp_path / WEIGHTS).write_bytes(bytes((package / WEIGHTS).stat().st_size))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(Predictor(package).predict_proba(ROWS), wanted)


def test_a_copy_has_the_tensors_in_it_and_a_child_reads_them_again(package: Path) -> None:
    predictor = Predictor(package)
    wanted = predictor.predict_proba(ROWS)
    pickled = pickle.dumps(predictor)
    shutil.rmtree(package)  # the predictor keeps the file open
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(predictor.predict_proba(ROWS), wanted) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for other in (pickle.loads(pickled), copying.deepcopy(predictor), copying.copy(predictor)):
        assert np.array_equal(other.predict_proba(ROWS), wanted)


def swap(package: Path) -> None:
    """Exchange two tensors of one length."""
    data, tensors = bytearray((package / WEIGHTS).read_bytes()), tensors_of(package).values()
    first, second = next(
        (one, two) for one in tensors for two in tensors if one is not two and one["length"] == two["length"] == 16
    )
    for target, source in ((first, second), (second, first)):
        offset, origin = target["offset"], source["offset"]
        data[offset : offset + 16] = (package / WEIGHTS).read_bytes()[origin : origin + 16]
    (package / WEIGHTS).write_bytes(data)


def rewrite(change: Callable[[bytearray], None]) -> Callable[[Path], None]:
    def edit(package: Path) -> None:
        data = bytearray((package / WEIGHTS).read_bytes())
        change(data)
        (package / WEIGHTS).write_bytes(data)

    return edit


def replaced(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def edit(package: Path) -> None:
        (package / WEIGHTS).unlink()
        make(package / WEIGHTS)

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (rewrite(lambda data: data.__delitem__(slice(-5, None))), "were packaged"),
        (rewrite(lambda data: data.extend(b"more")), "were packaged"),
        (rewrite(lambda data: data.__setitem__(0, data[0] ^ 1)), "is not the one that was packaged"),
        (rewrite(lambda data: data.__setitem__(4095, 1)), "something other than zeros before byte 4096"),
        (swap, "is not the one that was packaged"),
        (lambda package: (package / WEIGHTS).unlink(), "cannot be read: No such file"),
        (replaced(os.mkfifo), "not a regular file"),
        (replaced(Path.mkdir), "cannot be read"),
        (replaced(lambda path: path.symlink_to("/dev/zero")), "not a regular file"),
        (replaced(lambda path: path.symlink_to(path.name)), "cannot be read"),
    ],
    ids=["torn", "longer", "a bit", "a gap", "swapped", "missing", "pipe", "folder", "device", "link to itself"],
)
def test_a_file_that_is_not_the_packaged_one_is_refused(
    package: Path, edit: Callable[[Path], None], reason: str
) -> None:
    edit(package)
    with pytest.raises(DigestError, match=rf"{WEIGHTS}.*{reason}"):
        Predictor(package)
    with pytest.raises(DigestError, match=WEIGHTS):
        verify(package)


def test_a_link_to_the_packaged_bytes_is_followed(package: Path, tmp_path: Path) -> None:
    (package / WEIGHTS).rename(tmp_path / "elsewhere")
    (package / WEIGHTS).symlink_to(tmp_path / "elsewhere")
    assert Predictor(package).predict(ROWS).tolist() == [1, 0, 0]


def test_what_is_written_into_the_file_after_its_digest_reaches_nobody(package: Path) -> None:
    """Through a mapping whose pages were dirty before, so that neither size nor times of the file change."""
    weights = load_model(package).weights
    assert weights is not None
    with (package / WEIGHTS).open("r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        shared[0] = shared[0]
        wanted, found = weights.arrays(), weights.arrays()
        shared[0] ^= 1
        assert {name: array.tobytes() for name, array in found.items()} == {
            name: array.tobytes() for name, array in wanted.items()
        }
        with pytest.raises(DigestError, match="is not the one that was packaged"):
            weights.arrays()


def test_what_is_made_of_wrong_tensors_while_they_are_checked_never_leaves(package: Path) -> None:
    weights = load_model(package).weights
    assert weights is not None
    with weights.while_checked() as arrays:
        made = {name: array.copy() for name, array in arrays.items()}
    with (package / WEIGHTS).open("r+b") as file:
        file.write(b"\x7f")
    reached = False
    with pytest.raises(DigestError, match="is not the one that was packaged"), weights.while_checked() as arrays:
        reached = any((array != made[name]).any() for name, array in arrays.items())
        raise ValueError("what made no sense of them")
    assert reached


@pytest.mark.parametrize(("dtype", "reached"), [("<i8", False), ("<f8", True)])
def test_integers_are_checked_before_they_are_handed_out(dtype: str, reached: bool, tmp_path: Path) -> None:
    """They may be the places at which something is read."""
    with WeightsWriter(tmp_path / WEIGHTS) as writer:
        writer.add("w", np.zeros((2, 300), dtype))
        listed, entries = writer.close()
    with (tmp_path / WEIGHTS).open("r+b") as file:
        file.write(b"\x7f")
    code = next(code for code, known in DTYPES.items() if known == np.dtype(dtype))
    tensor = ExternalTensor("w", code, (2, 300), WEIGHTS, 0, entries["w"].length)
    weights = Weights.in_file(WeightsFile(tmp_path / WEIGHTS, Path(WEIGHTS), listed.size, entries), (tensor,))
    found = []
    with pytest.raises(DigestError), weights.while_checked() as arrays:
        found.append(arrays)
    assert bool(found) is reached


@pytest.mark.parametrize("preadv", [True, False])
def test_a_file_that_is_cut_short_while_it_is_read_is_refused(
    package: Path, preadv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not preadv:
        monkeypatch.delattr(os, "preadv")
    weights = load_model(package).weights
    assert weights is not None
    assert weights.arrays()
    os.truncate(package / WEIGHTS, 10)
    with pytest.raises(DigestError, match="was changed while it was read"):
        weights.arrays()


def test_large_tensors_are_hashed_in_threads_and_each_is_looked_at(tmp_path: Path, package: Path) -> None:
    """The last of them is wrong, and large enough that the digests are computed side by side."""
    with WeightsWriter(tmp_path / WEIGHTS) as writer:
        for name in "abc":
            writer.add(name, np.full(2**21, ord(name), np.float32))
        entry, entries = writer.close()
    file = WeightsFile(tmp_path / WEIGHTS, Path(WEIGHTS), entry.size, entries)
    data = file.read("abc")
    file.check(data)
    found = {name: array.view("<f4")[-1] for name, array in data.items()}
    assert found == {"a": 97, "b": 98, "c": 99}
    with (tmp_path / WEIGHTS).open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x7f")
    with pytest.raises(DigestError, match="the tensor 'c' is not"):
        file.check(file.read("abc"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found.pop("tensors"), "lists weights.bin and has no object 'tensors'"),
        (lambda found: found["files"].pop(WEIGHTS), "has 'tensors' without listing weights.bin"),
        (lambda found: found.update(tensors=[]), "no object 'tensors'"),
        (lambda found: found["tensors"].popitem(), "its tensors end at"),
        (lambda found: found["files"][WEIGHTS].update(size=2**53 + 1), "is written as {sha256, size}"),
        (lambda found: entry(found, 0).update(offset=64), "begins at 64, not at 0"),
        (lambda found: entry(found, 1).update(offset=0), "overlap"),
        (lambda found: entry(found, 1).update(offset=entry(found, 1)["offset"] + 8), "the next multiple of 4096"),
        (lambda found: entry(found, 1).update(length=2**53), "overlap"),
        (lambda found: entry(found, 0).update(length=0), "is written as {offset, length, sha256}"),
        (lambda found: entry(found, 0).update(offset=-4096), "is written as"),
        (lambda found: entry(found, 0).update(offset=True), "is written as"),
        (lambda found: entry(found, 0).update(offset=0.0), "is written as"),
        (lambda found: entry(found, 0).update(sha256="0" * 63), "is written as"),
        (lambda found: found["tensors"].update(more=None), "'more' is written as"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    package: Path, change: Callable[[dict], object], reason: str
) -> None:
    change_manifest(package, lambda found: change(found) and None)
    with pytest.raises(FormatError, match=reason):
        Package.open(package)


def entry(manifest: dict, place: int) -> dict:
    """Return the manifest's entry of a tensor by its place in the file."""
    return sorted(manifest["tensors"].values(), key=lambda found: found["offset"])[place]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tensor: tensor.external.update(location="/etc/passwd"), r"in '/etc/passwd' outside the file"),
        (lambda tensor: tensor.external.update(location=f"../{WEIGHTS}"), "outside the file"),
        (lambda tensor: tensor.external.update(location=f"./{WEIGHTS}"), "outside the file"),
        (lambda tensor: tensor.external.pop("location"), "outside the file"),
        (lambda tensor: tensor.external.pop("length"), "says .* of its data"),
        (lambda tensor: tensor.external.update(offset="-1"), "says .* of its data"),
        (lambda tensor: tensor.external.update(offset="0x10"), "says .* of its data"),
        (lambda tensor: tensor.external.update(basepath="/"), "says .* of its data"),
        (lambda tensor: tensor.external.update(length="8"), "of the shape .* says that it has 8 bytes"),
        (lambda tensor: tensor.dims.append(2), "of the shape"),
        (lambda tensor: tensor.dims.append(2**64 - 1), "of the shape"),
        (lambda tensor: setattr(tensor, "dtype", 11), "of the shape"),
        (lambda tensor: setattr(tensor, "dtype", 8), "has the data type 8"),
        (lambda tensor: setattr(tensor, "dtype", 16), "has the data type 16"),
        (lambda tensor: setattr(tensor, "name", "unknown"), "'unknown' in weights.bin, which was not passed"),
        (lambda tensor: tensor.external.update(offset="8192"), "and the manifest says"),
    ],
)
def test_a_graph_that_looks_elsewhere_is_refused(
    certified_package: Path,
    package_copy: Callable[[Path], Path],
    change: Callable[[Tensor], object],
    reason: str,
) -> None:
    def one(tensor: Tensor) -> None:
        if tensor.name == "linear1.weight":
            change(tensor)

    package = externalize(package_copy(certified_package), one)
    with pytest.raises(FormatError, match=reason) as caught:
        load_model(package)
    assert str(package / "model.onnx") in str(caught.value)
    assert str(caught.value).isprintable()


def external(name: str = "w") -> bytes:
    """A tensor in weights.bin, as a hostile graph writes it."""
    entries = {"location": WEIGHTS, "offset": "0", "length": "4"}
    data = (field(1, key.encode()) + field(2, value.encode()) for key, value in entries.items())
    listed = b"".join(field(EXTERNAL_DATA, one) for one in data)
    return field(1, 1) + field(2, 1) + field(8, name.encode()) + listed + field(DATA_LOCATION, 1)


@pytest.mark.parametrize(
    "place",
    [
        lambda tensor: field(GRAPH, field(NODE, field(ATTRIBUTE, field(5, tensor)))),
        lambda tensor: field(GRAPH, field(NODE, field(ATTRIBUTE, field(6, field(INITIALIZER, tensor))))),
        lambda tensor: field(GRAPH, field(15, field(1, tensor))),
        lambda tensor: field(FUNCTION, field(7, field(ATTRIBUTE, field(10, tensor)))),
        lambda tensor: field(20, field(1, field(INITIALIZER, tensor))),
    ],
    ids=["attribute", "subgraph", "sparse", "function", "training"],
)
def test_a_listed_tensor_lies_outside_in_the_main_graph_alone(place: Callable[[bytes], bytes]) -> None:
    """onnxruntime replaces no others: it would open weights.bin in the current folder."""
    main = field(GRAPH, field(INITIALIZER, external()))
    assert [tensor.name for tensor in scan_model(main, "model", external={"w"}).external] == ["w"]
    with pytest.raises(FormatError, match="keeps a tensor outside the file"):
        scan_model(main + place(external()), "model", external={"w"})


@pytest.mark.parametrize("other", [external(), field(8, b"w") + field(9, b"\0\0\0\0")], ids=["outside", "inside"])
def test_a_name_stands_for_one_tensor(other: bytes) -> None:
    model = field(GRAPH, field(INITIALIZER, external())) + field(GRAPH, field(INITIALIZER, other))
    with pytest.raises(FormatError, match="two of its tensors are called 'w'"):
        scan_model(model, "model", external={"w"})


def test_shapes_are_read_packed_as_well() -> None:
    tensor = external().removeprefix(field(1, 1)) + field(1, b"\x01\x01\x01")
    assert scan_model(field(GRAPH, field(INITIALIZER, tensor)), "m", external={"w"}).external[0].dims == (1, 1, 1)
    with pytest.raises(FormatError, match="of the shape"):
        scan_model(field(GRAPH, field(INITIALIZER, tensor + field(1, bytes([1] * 90)))), "m", external={"w"})


def test_a_tensor_that_only_the_other_graph_uses_is_fine(package: Path) -> None:
    """The certified graph has tensors that the default one has not; each is checked where it is used."""
    default, certified = load_model(package).weights, load_model(package, certified=True).weights
    assert default is not None and certified is not None
    plain, proven = set(default.arrays()), set(certified.arrays())
    assert plain < set(tensors_of(package))
    assert plain | proven == set(tensors_of(package))


def test_the_model_alone_is_refused_and_the_sentence_says_how(package: Path) -> None:
    with pytest.raises(FormatError, match=r"load the package that it is in, make a package of it \(parity adopt\)"):
        Predictor(package / "model.onnx")


def test_the_command_line_says_it_in_one_line(parity, package: Path) -> None:  # type: ignore[no-untyped-def]
    assert parity("predict", package, "--row", "0,1").out.splitlines()[1].startswith("0,1,1,")
    (package / WEIGHTS).write_bytes((package / WEIGHTS).read_bytes()[:-1])
    for command in (("verify", package), ("predict", package, "--row", "0,1")):
        assert parity(*command).is_refused(3, WEIGHTS, "copy the package again")


def test_files_that_were_hashed_while_they_were_written_are_listed_as_they_were(package: Path) -> None:
    """`write_manifest` reads none of them again: it lists what it is told."""
    before = Package.open(package)
    (package / WEIGHTS).write_bytes(b"torn")
    write_manifest(package, before.tensors, {WEIGHTS: before.entries[WEIGHTS]})
    assert Package.open(package).id == before.id
    resign(package)
    with pytest.raises(FormatError, match="its tensors end at"):
        Package.open(package)


def test_the_writer_refuses_what_cannot_lie_in_the_file(tmp_path: Path) -> None:
    with WeightsWriter(tmp_path / WEIGHTS) as writer:
        writer.add("w", np.ones(3, ">f4"))
        for name, array in (
            ("w", np.ones(3)),
            ("texts", np.array(["a"])),
            ("none", np.ones(0)),
            ("c", np.ones(1, "c8")),
        ):
            with pytest.raises(ValueError, match="cannot be written into weights.bin"):
                writer.add(name, array)
        writer.close()
    assert np.frombuffer((tmp_path / WEIGHTS).read_bytes(), "<f4").tolist() == [1, 1, 1]
    with pytest.raises(FileExistsError):
        WeightsWriter(tmp_path / WEIGHTS)


@pytest.mark.parametrize("optimization", ["disabled", "all"])
def test_onnxruntime_copies_what_it_is_handed(tmp_path: Path, optimization: Optimization) -> None:
    """Of tensors that a product packs anew, and of those that are used as they are: overwritten before the run."""
    onnx = pytest.importorskip("onnx")
    random = np.random.default_rng(0)
    arrays = {name: random.standard_normal((64, 64)).astype(np.float32) for name in ("rows", "factor", "added")}
    with WeightsWriter(tmp_path / WEIGHTS) as writer:
        places = {name: writer.add(name, array) for name, array in arrays.items()}
        listed, entries = writer.close()
    text = """<ir_version: 8, opset_import: ["" : 17]> chain (int64[n] x) => (float[n, 64] y) {
        taken = Gather (rows, x)
        product = MatMul (taken, factor)
        added_to = Gather (added, x)
        y = Add (product, added_to)
    }"""
    model = onnx.parser.parse_model(text)
    for name, (offset, length) in places.items():
        tensor = model.graph.initializer.add(name=name, data_type=1, dims=[64, 64], data_location=1)
        for key, value in (("location", WEIGHTS), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
    data = model.SerializeToString()
    tensors = scan_model(data, "model", external=entries).external
    found = Weights.in_file(WeightsFile(tmp_path / WEIGHTS, Path(WEIGHTS), listed.size, entries), tensors).arrays()
    session = create_session(data, optimization=optimization, weights=found)
    for array in found.values():
        array.fill(0)
    del found
    rows = arrays["rows"][[3, 5]] @ arrays["factor"] + arrays["added"][[3, 5]]
    np.testing.assert_allclose(session.run(None, {"x": np.array([3, 5])})[0], rows, rtol=1e-4, atol=1e-4)


def test_a_digest_error_is_one_of_ours(package: Path) -> None:
    assert issubclass(DigestError, ParityError)
    assert Weights.in_memory({"w": ROWS}).arrays()["w"] is ROWS
