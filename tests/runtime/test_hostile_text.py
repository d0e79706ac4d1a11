"""Text of a stranger's file: shown escaped and cut, and read within bounds of size and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import parity_runtime
from parity_runtime import FormatError, InputError, MissingExtraError, ParityError, TensorSpec, verify
from parity_runtime.files.json_file import parse_json
from parity_runtime.package.manifest import write_manifest
from parity_runtime.printable import SCREEN, printable, printable_json, sentence, shown
from tests.runtime.protobuf import metadata

NASTY = "a\x1b[31m\r\n\u202e\u2066\x9b\ud800\0é漢字"
ESCAPED = r"a\x1b[31m\r\n\u202e\u2066\x9b\ud800\x00é漢字"


def test_what_does_not_print_is_escaped_and_letters_of_any_script_stay() -> None:
    assert printable(NASTY) == ESCAPED
    assert printable("naïve 漢字 ✓") == "naïve 漢字 ✓"
    assert json.loads(printable_json(json.dumps({"a": NASTY}, ensure_ascii=False))) == {"a": NASTY}
    assert printable_json('{\n  "a": "\u202e"\n}') == '{\n  "a": "\\u202e"\n}'


@pytest.mark.parametrize("text", ["x" * 10**6, "\u202e" * 10**6, "a\n" * 10**5], ids=["long", "bidi", "lines"])
def test_a_sentence_is_never_longer_than_a_screen(text: str) -> None:
    for line in (sentence(text), str(InputError(text)), str(FormatError(f"{text}; take another"))):
        assert len(line) <= SCREEN and line.isprintable()
    assert str(FormatError(f"{text}; take another")).endswith("; take another")


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, ["x"] * 10**6, {str(number): number for number in range(10**5)}, [[[1]]] * 10**5, 10**5000, {}, None],
    ids=["text", "list", "object", "nested", "number", "nothing in it", "nothing"],
)
def test_a_value_in_a_sentence_is_short(value: object) -> None:
    assert len(shown(value)) < 300


def test_short_values_are_shown_as_they_are() -> None:
    values = ["a'b", [1, "a", None], {"a": 1}, True, 2.5, ("a", "b"), []]
    assert [shown(value) for value in values] == [
        '"a\'b"', "[1, 'a', None]", "{'a': 1}", "True", "2.5", "('a', 'b')", "[]"
    ]  # fmt: skip


def test_errors_are_what_python_calls_them_as_well() -> None:
    assert issubclass(InputError, ValueError) and issubclass(MissingExtraError, ImportError)
    assert issubclass(parity_runtime.LimitError, ParityError)


@pytest.fixture
def nasty_package(xor_package: Path, package_copy) -> Path:  # type: ignore[no-untyped-def]
    copy: Path = package_copy(xor_package)
    contract = json.loads((copy / "contract.json").read_text())
    contract["provenance"] = dict.fromkeys(contract["provenance"], "x") | {"forged\npackage": "\x1b[2J\u202e"}
    contract["min_onnxruntime"] = "1\nrows        independent"
    contract["tolerance"]["\u2066"] = contract["tolerance"]["logits"]
    text = json.dumps(contract, ensure_ascii=False)
    (copy / "contract.json").write_text(text)
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + metadata("parity.contract", text))
    write_manifest(copy)
    return copy


def test_info_shows_no_character_that_steers_a_terminal(parity, xor_package: Path, nasty_package: Path) -> None:  # type: ignore[no-untyped-def]
    answer = parity("info", nasty_package)
    assert answer.code == 0, answer
    assert all(line.isprintable() for line in answer.out.splitlines())
    honest = parity("info", xor_package).out.splitlines()
    assert len(answer.out.splitlines()) == len(honest) + 2  # a provenance, and a tolerance
    answer = parity("info", nasty_package, "--json")
    assert all(line.isprintable() for line in answer.out.split("\n"))
    assert json.loads(answer.out)["provenance"]["forged\npackage"] == "\x1b[2J\u202e"
    assert parity("info", xor_package, "--json").out == (xor_package / "contract.json").read_text()
    assert parity("verify", nasty_package).code == 0


@pytest.mark.parametrize(
    ("start", "part", "count"), [("[", "[],", 20_000_000), ("", "[", 30_000_000), ("[", "0,", 30_000_000)]
)
def test_a_small_file_of_countless_values_takes_no_memory(start: str, part: str, count: int) -> None:
    code = (
        "import resource, sys; from parity_runtime import FormatError\n"
        "from parity_runtime.files.json_file import parse_json\n"
        f"data = ({start!r} + {part!r} * {count}).encode()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: parse_json(data, 'file')\n"
        "except FormatError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    reason, grown = done.stdout.decode().splitlines()
    assert reason.startswith("file holds more than")
    assert int(grown) < 50_000  # KiB


def test_a_json_file_is_limited_before_it_is_read(xor_package: Path, package_copy) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    with (copy / "conformance.json").open("r+b") as file:
        file.truncate(2**30)  # a hole: it takes no disk
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"]["conformance.json"]["size"] = 2**30
    (copy / "manifest.json").write_text(json.dumps(manifest))
    from parity_runtime import Package

    with pytest.raises(FormatError, match=r"conformance\.json has more than"):
        Package.open(copy).read_json("conformance.json")


def test_a_value_of_the_wrong_kind_is_named_and_cut(xor_package: Path, package_copy) -> None:  # type: ignore[no-untyped-def]
    copy = package_copy(xor_package)
    for key, value in (("classes", ["x" * 10**6, 1]), ("targets", [[]] * 10**5), ("task", "\x1b" * 10**5)):
        contract = json.loads((xor_package / "contract.json").read_text()) | {key: value}
        (copy / "contract.json").write_text(json.dumps(contract))
        write_manifest(copy)
        with pytest.raises(FormatError) as caught:
            verify(copy)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "text", ["x: float32[" + "9" * 5000 + "]", "x: float32[" + "9" * 20 + "]", "x" * 10**6, "\0"], ids=range(4)
)
def test_a_specification_of_a_tensor_has_sizes_that_there_are(text: str) -> None:
    with pytest.raises(InputError) as caught:
        TensorSpec.parse(text)
    assert len(str(caught.value)) < 400


def test_json_has_no_number_of_countless_digits() -> None:
    with pytest.raises(FormatError, match="not valid JSON"):
        parse_json(b'{"a": ' + b"9" * 10**6 + b"}", "file")
