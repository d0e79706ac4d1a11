import ast
import hashlib
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from parity_runtime import (
    DigestError,
    FormatError,
    InputError,
    ModelContract,
    Package,
    ParityError,
    Predictor,
    UncheckedModelWarning,
)
from parity_runtime.arguments import options_are_named
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import write_manifest
from parity_runtime.package.model_scan import scan_model
from tests.runtime.protobuf import field, metadata, varint

GRAPH, NODE, DOMAIN, ATTRIBUTE, INITIALIZER = 7, 1, 7, 5, 5
EXTERNAL_DATA, DATA_LOCATION, EXTERNAL = 13, 14, 1


@pytest.fixture
def bare(xor_package: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes((xor_package / "model.onnx").read_bytes())
    return path


def test_a_bare_model_answers_and_says_that_it_has_no_digests(bare: Path, xor_package: Path) -> None:
    with pytest.warns(UncheckedModelWarning, match="has no digests"):
        predictor = Predictor(bare)
    assert predictor.package_id is None
    assert predictor.contract == Package.open(xor_package).contract
    assert predictor.predict([[0, 1]]).tolist() == [1]


def test_a_bare_model_can_be_pinned(bare: Path) -> None:
    assert Predictor(bare, digest=f"sha256:{hashlib.sha256(bare.read_bytes()).hexdigest().upper()}").predict(
        [[0, 1]]
    ).tolist() == [1]
    with pytest.raises(DigestError, match=r"model\.onnx is the file"):
        Predictor(bare, digest="0" * 64)


def test_the_command_line_says_it_in_one_line(bare: Path) -> None:
    script = "from parity_runtime.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(bare), "--row", "0,1"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1].startswith("0,1,1,")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"parity: {bare} is a bare model: it has no digests")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an ONNX model"),
        (b"not a model at all", "not an ONNX model"),
        (b"\x08" + b"\xff" * 20, "more than 10 bytes"),
        (field(GRAPH, b"")[:-1] + b"\x7f", "beyond its message"),
        (field(8, b""), "holds no graph"),
        (field(GRAPH, b""), "has no contract"),
        (field(GRAPH, b"") + metadata("parity.contract", "{"), "not valid JSON"),
        (field(GRAPH, b"") + metadata("parity.contract", '{"format": "parity/3"}'), "install a newer one"),
    ],
)
def test_a_file_that_is_no_model_of_ours_is_one_sentence(bare: Path, data: bytes, reason: str) -> None:
    bare.write_bytes(data)
    with pytest.raises(FormatError, match=reason):
        load_model(bare)


@pytest.mark.parametrize(
    "tensor",
    [field(DATA_LOCATION, EXTERNAL), field(EXTERNAL_DATA, field(1, b"location") + field(2, b"/etc/passwd"))],
    ids=["location", "entries"],
)
@pytest.mark.parametrize(
    "place",
    [
        lambda tensor: field(GRAPH, field(INITIALIZER, tensor)),
        lambda tensor: field(GRAPH, field(NODE, field(ATTRIBUTE, field(5, tensor)))),
        lambda tensor: field(GRAPH, field(NODE, field(ATTRIBUTE, field(6, field(INITIALIZER, tensor))))),
        lambda tensor: field(GRAPH, field(15, field(1, tensor))),
        lambda tensor: field(25, field(7, field(ATTRIBUTE, field(10, tensor)))),
    ],
    ids=["initializer", "attribute", "subgraph", "sparse", "function"],
)
def test_data_outside_the_file_is_refused_wherever_it_hides(bare: Path, tensor: bytes, place) -> None:  # type: ignore[no-untyped-def]
    bare.write_bytes(bare.read_bytes() + place(tensor))
    with pytest.raises(FormatError, match="outside the file"):
        load_model(bare)


def node(name: str, domain: str) -> bytes:
    return field(GRAPH, field(NODE, field(4, name.encode()) + field(DOMAIN, domain.encode())))


def test_operators_outside_the_standard_are_refused_with_their_domain(bare: Path) -> None:
    original = bare.read_bytes()
    bare.write_bytes(original + node("Own", "com.example"))
    with pytest.raises(FormatError, match=r"the operator Own of 'com\.example'"):
        load_model(bare)


def test_a_function_that_the_model_brings_is_no_custom_operator_but_covers_no_other(bare: Path) -> None:
    original = bare.read_bytes()
    function = field(25, field(1, b"Own") + field(10, b"com.example"))
    scan_model(original + node("Own", "com.example") + function, "model")
    with pytest.raises(FormatError, match="the operator Gelu"):
        scan_model(original + node("Gelu", "com.example") + function, "model")


def test_a_field_number_that_other_readers_cut_short_hides_nothing(bare: Path) -> None:
    hidden = varint(DATA_LOCATION << 3 | 1 << 32) + varint(EXTERNAL)
    bare.write_bytes(bare.read_bytes() + field(GRAPH, field(INITIALIZER, hidden)))
    with pytest.raises(FormatError, match="a field has the number"):
        load_model(bare)


@pytest.mark.parametrize(
    "data", [bytes(40_000_000), field(GRAPH, b"\x0a\x00" * 5_000_000)], ids=["zeros", "empty nodes"]
)
def test_a_file_of_countless_parts_is_refused_soon(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"number 0|more than \d+ parts"):
        scan_model(data, "model")


def test_messages_within_messages_end_somewhere() -> None:
    message = b""
    for _ in range(300):
        message = field(NODE, field(ATTRIBUTE, field(6, message)))
    with pytest.raises(FormatError, match="nested more than"):
        scan_model(field(GRAPH, message), "model")


@pytest.mark.parametrize("name", ["model.onnx", "contract.json", "manifest.json"])
def test_a_pipe_in_a_package_is_refused_and_not_waited_for(xor_package: Path, package_copy, name: str) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    (copy / name).unlink()
    os.mkfifo(copy / name)
    with pytest.raises(ParityError, match=f"{name}.*not a regular file"):
        Predictor(copy)


def test_a_pipe_or_a_device_as_a_model_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            Predictor(path)


def test_a_contract_with_keys_of_a_later_version_is_read(xor_package: Path, package_copy) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    contract = json.dumps(json.loads((copy / "contract.json").read_text()) | {"future_key": 1})
    resign(copy, contract)
    assert Predictor(copy).predict([[0, 1]]).tolist() == [1]


def resign(copy: Path, contract: str) -> None:
    (copy / "contract.json").write_text(contract)
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + metadata("parity.contract", contract))
    write_manifest(copy)


def test_the_scan_finds_the_widest_row(xor_package: Path, species_package: Path) -> None:
    widths = {path.name: scan_model((path / "model.onnx").read_bytes(), "").widest_row
              for path in (xor_package, species_package)}  # fmt: skip
    assert widths == {"xor": 4, "species": 8}


def test_a_contract_that_the_graph_does_not_fulfil_is_refused_although_both_copies_agree(
    xor_package: Path, package_copy
) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    contract = json.loads((copy / "contract.json").read_text())
    contract["inputs"][0]["shape"] = ["batch", 3]
    resign(copy, json.dumps(contract))
    assert ModelContract.from_json(contract).inputs[0].shape == ("batch", 3)
    with pytest.raises(FormatError, match="the model and its contract disagree"):
        Predictor(copy)


def test_a_newer_format_is_refused_with_a_sentence(xor_package: Path, package_copy) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    manifest = (copy / "manifest.json").read_text()
    (copy / "manifest.json").write_text(manifest.replace("parity/2", "parity/3"))
    with pytest.raises(FormatError, match="install a newer one"):
        Predictor(copy)


def test_every_format_error_names_its_file(bare: Path) -> None:
    bare.write_bytes(b"\x00")
    with pytest.raises(ParityError, match=str(bare)):
        load_model(bare)


def test_a_path_without_anything_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a package"):
        load_model(tmp_path / "absent.onnx")


def test_the_pin_that_is_offered_works_when_it_is_pasted(parity, bare: Path) -> None:
    with pytest.warns(UncheckedModelWarning) as told:
        Predictor(bare)
    pinned = str(told[0].message).rpartition("pin it with ")[2]
    name, _, digest = pinned.partition("=")
    assert Predictor(bare, **{name: ast.literal_eval(digest)}).package_id is None
    with pytest.warns(UncheckedModelWarning) as told, options_are_named():
        Predictor(bare)
    option = shlex.split(str(told[0].message).rpartition("pin it with ")[2])
    table = bare.with_name("t.csv")
    table.write_text("x1,x2,label\n0,1,1\n0,0,0\n")
    for command in (("predict", bare, "--row", "0,1"), ("evaluate", bare, table)):
        answer = parity(*command, *option)
        assert (answer.code, answer.err) == (0, ""), answer
        assert parity(*command, "--digest", "0" * 64).is_refused(3, "model.onnx is the file")


def test_a_file_that_was_changed_is_named_as_the_package_was(xor_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (xor_copy / "contract.json").write_bytes((xor_copy / "contract.json").read_bytes().replace(b"xor", b"rox"))
    monkeypatch.chdir(xor_copy.parent)
    with pytest.raises(DigestError, match=r"^copy/contract\.json is not the file"):
        Predictor("copy")
    (xor_copy / "contract.json").unlink()
    with pytest.raises(DigestError, match=r"^copy/contract\.json cannot be read"):
        Predictor("copy")
