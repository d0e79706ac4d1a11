import json
from pathlib import Path

import pytest

from parity_runtime import DigestError, FormatError, InputError, Package, Predictor, verify
from parity_runtime.package.manifest import write_manifest


def test_every_file_of_a_package_is_listed_and_verified(xor_package: Path) -> None:
    result = verify(xor_package)
    assert result.package_id == Package.open(xor_package).id
    assert {deviation.output for deviation in result.deviations} == {"label", "probabilities", "logits"}
    assert all(deviation.failed == 0 for deviation in result.deviations)
    assert sum(deviation.compared for deviation in result.deviations) > 50


@pytest.mark.parametrize(
    "name",
    [
        "model.onnx",
        "contract.json",
        "conformance.json",
        "parity.json",
        "README.md",
        "test_data_set_0/input_0.pb",
        "plots/errors.png",
    ],
)
def test_one_changed_bit_is_found(xor_copy: Path, name: str) -> None:
    data = bytearray((xor_copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (xor_copy / name).write_bytes(data)
    with pytest.raises(DigestError, match=name):
        verify(xor_copy)


def test_the_predictor_refuses_a_changed_model_or_contract(xor_copy: Path) -> None:
    contract = (xor_copy / "contract.json").read_text()
    (xor_copy / "contract.json").write_text(contract.replace('"x1"', '"x9"'))
    with pytest.raises(DigestError, match="contract.json"):
        Predictor(xor_copy)


def test_a_contract_that_differs_from_the_one_inside_the_model_is_refused_even_with_its_digest(xor_copy: Path) -> None:
    contract = (xor_copy / "contract.json").read_text()
    (xor_copy / "contract.json").write_text(contract.replace('"x1"', '"x9"'))
    write_manifest(xor_copy)
    with pytest.raises(DigestError, match="disagree"):
        Predictor(xor_copy)


def test_a_missing_and_an_unlisted_file_are_found(xor_copy: Path) -> None:
    (xor_copy / "extra.txt").write_text("?")
    with pytest.raises(DigestError, match=r"extra\.txt"):
        verify(xor_copy)
    (xor_copy / "extra.txt").unlink()
    (xor_copy / "README.md").unlink()
    with pytest.raises(DigestError, match=r"README\.md"):
        verify(xor_copy)


@pytest.mark.parametrize(
    "add", [lambda path: path.symlink_to("/etc"), Path.mkdir], ids=["link to a folder", "empty folder"]
)
def test_what_is_no_file_is_found_too(xor_copy: Path, add) -> None:  # type: ignore[no-untyped-def]
    add(xor_copy / "extra")
    with pytest.raises(DigestError, match="extra"):
        verify(xor_copy)


def test_a_package_is_read_from_where_it_was_opened(xor_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(xor_copy.parent)
    package = Package.open(xor_copy.name)
    monkeypatch.chdir("/")
    assert package.contract.name == "xor"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("manifest.json", '"size": ', f'"size": {2**63}'),
        ("manifest.json", '"README.md"', '"\\ud800"'),
        ("contract.json", '"rtol": ', f'"rtol": {10**400}'),
        ("contract.json", '"low": ', f'"low": {10**400}'),
        ("conformance.json", '"rtol": ', '"rtol": 1e999, "": '),
        ("conformance.json", '"atol": ', '"atol": "5", "": '),
        ("contract.json", '"dtype": "int64"', '"dtype": "float32"'),
        ("contract.json", '"batch",\n        2', '"batch",\n        3'),
    ],
)
def test_figures_and_names_that_no_reader_can_hold_are_refused(
    xor_copy: Path, name: str, before: str, after: str
) -> None:
    text = (xor_copy / name).read_text()
    assert before in text
    (xor_copy / name).write_text(text.replace(before, after))
    if name != "manifest.json":
        write_manifest(xor_copy)
    with pytest.raises(FormatError, match=name):
        verify(xor_copy)


def test_a_package_can_be_pinned_by_its_id(xor_package: Path) -> None:
    package_id = Package.open(xor_package).id
    assert Predictor(xor_package, digest=package_id).package_id == package_id
    with pytest.raises(DigestError, match="is the package"):
        Predictor(xor_package, digest="0" * 64)


def test_no_package_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a package"):
        Predictor(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "", ".", "a\\b", "//", "a//b", "a/", "./a"])
def test_a_manifest_cannot_name_files_outside_its_package(xor_copy: Path, name: str) -> None:
    manifest = json.loads((xor_copy / "manifest.json").read_text())
    manifest["files"][name] = manifest["files"]["README.md"]
    (xor_copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FormatError, match="not a path inside"):
        Package.open(xor_copy)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"format": "parity/3", "files": {}}', '{"format": "parity/1"}', "\xff", "[" * 100_000],
)
def test_a_malformed_manifest_is_one_sentence(xor_copy: Path, text: str) -> None:
    (xor_copy / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"manifest\.json"):
        Package.open(xor_copy)


def test_a_key_that_stands_twice_is_refused(xor_copy: Path) -> None:
    """Some readers of JSON take the first, some the last of them."""
    text = (xor_copy / "manifest.json").read_text()
    (xor_copy / "manifest.json").write_text(text.replace("{", '{"format": "parity/1",', 1))
    with pytest.raises(FormatError, match=r"manifest\.json is not valid JSON: an object has the key 'format' twice"):
        Package.open(xor_copy)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_is_utf_8_without_a_mark(encoding: str) -> None:
    from parity_runtime.files.json_file import parse_json

    with pytest.raises(FormatError, match="not valid JSON"):
        parse_json('{"format": "parity/1"}'.encode(encoding), "contract.json")
