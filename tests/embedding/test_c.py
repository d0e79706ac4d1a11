"""The C example: built with the sanitizers against the library of onnxruntime's wheel; Python's bits."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.embedding.conftest import DAMAGES, EXAMPLES, NO_CLASS, STRANGE, change_expected, record_strange
from tests.embedding.rare import CASES, ROWS, check_probabilities

pytestmark = pytest.mark.slow

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def _missing() -> str | None:
    for tool in ("gcc", "make", "pkg-config"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    found = subprocess.run(["pkg-config", "--exists", "jansson", "libcrypto"], check=False)
    return "libjansson-dev or libssl-dev is not installed" if found.returncode else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, copied and built with the address, leak and undefined-behaviour sanitizers."""
    missing = _missing()
    if missing:
        pytest.skip(missing)
    copy = Path(
        shutil.copytree(EXAMPLES / "c", tmp_path_factory.mktemp("c") / "c", ignore=shutil.ignore_patterns("build"))
    )
    command = ["make", "-j2", "asan", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


@pytest.fixture(scope="module")
def program(folder: Path) -> Program:
    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [str(folder / "build" / "asan" / "parity"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("name", ["xor", "iris", "rent", "series"])
def test_the_test_vectors_pass(program: Program, packages: dict[str, Path], name: str) -> None:
    done = program("verify", packages[name])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert Predictor(packages[name]).package_id in done.stdout


@pytest.mark.parametrize("name", ["xor", "iris", "rent"])
def test_the_bits_are_pythons(folder: Path, packages: dict[str, Path], name: str) -> None:
    command = [sys.executable, "compare.py", "build/asan/parity", str(packages[name])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.count(", 0 differ") for line in done.stdout.splitlines()] == [1, 1]


@pytest.mark.parametrize("options", [[], ["--certified"]])
@pytest.mark.parametrize("name", CASES)
def test_rare_probabilities_are_exact_and_never_fall(
    folder: Path, rare_packages: dict[str, Path], name: str, options: list[str]
) -> None:
    command = [folder / "build" / "asan" / "parity", "predict", "--bits", *options, rare_packages[name], "-"]
    table = "".join(f"{number!r}\n" for number in ROWS[:, 0].tolist())
    done = subprocess.run(command, input=table, capture_output=True, text=True, check=True)
    header, *lines = (line.split(",") for line in done.stdout.splitlines())

    def floats(output: str) -> np.ndarray:
        columns = [at for at, column in enumerate(header) if column.rpartition("_")[0] == output]
        return np.array([[int(line[at], 16) for at in columns] for line in lines], np.uint32).view(np.float32)

    check_probabilities(name, floats("logits"), floats("probabilities"))


def test_a_row_is_predicted(program: Program, packages: dict[str, Path]) -> None:
    done = program("predict", "--certified", packages["xor"], "0,1", "1,1")
    header, first, second = (line.split(",") for line in done.stdout.splitlines())
    column = header.index("label")
    assert (first[column], second[column]) == ("1", "0")
    assert first[header.index("certified")] == "true"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_package_is_refused(program: Program, packages: dict[str, Path], tmp_path: Path, damage: str) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "package"))
    edit, words = DAMAGES[damage]
    edit(package)
    for command in (["verify", package], ["predict", package, "0,1"]):
        done = program(*command)
        assert done.returncode in (1, 3) and (done.stdout == "" or command[0] == "verify")
        assert len(done.stderr.splitlines()) == 1 and words in done.stderr, done.stderr


def test_another_output_than_the_expected_one_fails(
    program: Program, packages: dict[str, Path], tmp_path: Path
) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "package"))
    change_expected(package)
    assert program("verify", package).returncode == 3


@pytest.mark.parametrize(("row", "label"), STRANGE)
def test_a_label_that_is_no_class_is_refused(program: Program, strange_package: Path, row: str, label: int) -> None:
    for options in ([], ["--certified"], ["--bits"]):
        done = program("predict", *options, strange_package, "0,1", row)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 1)
        assert done.stderr.startswith(f"parity: {NO_CLASS.format(label)}")
    assert program("verify", strange_package).returncode == 0  # its vectors hold no such row
    record_strange(strange_package, row, label)
    done = program("verify", strange_package)
    assert done.returncode == 3 and done.stderr.startswith(f"parity: {NO_CLASS.format(label)}")


@pytest.mark.parametrize("row", ["0", "0,1,2", "0,abc", "0,inf", "0,", "0,1e39", ""])
def test_a_bad_row_is_one_line(program: Program, packages: dict[str, Path], row: str) -> None:
    done = program("predict", packages["xor"], row)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done


def test_hostile_copies_give_one_line_and_no_crash(folder: Path, packages: dict[str, Path]) -> None:
    command = [sys.executable, "fuzz.py", "build/asan/parity", str(packages["xor"]), "20"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(" 0 bad")


def test_what_the_model_cannot_compute_is_no_prediction(program: Program, packages: dict[str, Path]) -> None:
    done = program("predict", packages["iris"], "5,3,1,0.2", "3e38,-3e38,3e38,-3e38")
    assert done.returncode == 1 and "row 1: the model computes no finite output" in done.stderr
