"""The C example: built with the sanitizers against the library of onnxruntime's wheel; Python's bits."""

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.embedding import weights
from tests.embedding.cells import REFUSED, TABLES, CellTable
from tests.embedding.conftest import (
    DAMAGES,
    DATA,
    EXAMPLES,
    NO_CLASS,
    SHOP_BAD,
    SHOP_ROWS,
    STRANGE,
    TASKS,
    change_contract,
    change_expected,
    record_strange,
)
from tests.embedding.parcels import CELL_ROWS, PARCELS, check_outputs
from tests.embedding.rare import CASES, ROWS, check_probabilities
from tests.embedding.weights import weights_package
from tests.soak import sampled

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


@pytest.mark.parametrize("name", TASKS)
def test_labels_tags_tokens_and_vectors_are_verified_and_not_printed(
    program: Program, task_packages: dict[str, Path], name: str
) -> None:
    done = program("verify", task_packages[name])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "agree" in done.stdout
    done = program("predict", task_packages[name], "1,2,3,4")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "predicts neither one class nor numbers" in done.stderr


CONTRADICTIONS = {
    "multilabel": {"classes": ["a", "b"]},
    "tagging": {"task": "language_model"},
    "language model": {"task": "tagging"},
    "unit embedding": {"task": "regression"},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contract_that_contradicts_its_task_is_refused(
    program: Program, task_packages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    copy = Path(shutil.copytree(task_packages[name], tmp_path / "copy"))
    change_contract(copy, lambda contract: contract.update(CONTRADICTIONS[name]))
    done = program("verify", copy)
    assert done.returncode and "task" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["xor", "iris", "rent", "series", "parcels", "shop"])
def test_the_test_vectors_pass(program: Program, packages: dict[str, Path], name: str) -> None:
    done = program("verify", packages[name])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert Predictor(packages[name]).package_id in done.stdout


@pytest.mark.parametrize("name", ["xor", "iris", "rent", "shop"])
def test_the_bits_are_pythons(folder: Path, packages: dict[str, Path], name: str) -> None:
    command = [sys.executable, "compare.py", "build/asan/parity", str(packages[name])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.count(", 0 differ") for line in done.stdout.splitlines()] == [1, 1]


def test_weights_in_a_file_of_their_own_give_the_same_bits(
    folder: Path, program: Program, packages: dict[str, Path], tmp_path: Path
) -> None:
    package = weights_package(tmp_path)
    assert program("verify", package).returncode == 0
    rows = ("--certified", "0,1", "1,1", "0.25,0.75")
    done = program("predict", *rows[:1], package, *rows[1:])
    assert (done.returncode, done.stdout) == (0, program("predict", *rows[:1], packages["xor"], *rows[1:]).stdout)


@pytest.mark.parametrize("damage", weights.DAMAGES)
def test_weights_that_are_not_the_packaged_ones_are_refused(program: Program, tmp_path: Path, damage: str) -> None:
    package = weights_package(tmp_path)
    edit, words = weights.DAMAGES[damage]
    edit(package)
    done = program("predict", package, "0,1")
    assert (done.returncode in (1, 3), done.stdout, len(done.stderr.splitlines())) == (True, "", 1)
    assert words in done.stderr


@pytest.mark.parametrize("graph", weights.GRAPHS)
def test_a_graph_that_looks_for_its_weights_elsewhere_is_refused(program: Program, tmp_path: Path, graph: str) -> None:
    done = program("predict", weights_package(tmp_path, weights.GRAPHS[graph]), "0,1")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "model.onnx" in done.stderr


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_reaches_the_graph_as_it_should(
    folder: Path, program: Program, cell_tables: dict[str, CellTable], name: str
) -> None:
    table = cell_tables[name]
    command = [folder / "build" / "asan" / "parity", "predict", table.package, "-"]
    text = table.csv(header=False)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    answers = [line.split(",")[1:] for line in done.stdout.splitlines()[1:]]
    assert np.array_equal(np.array(answers, np.float32), table.answers)
    assert program("verify", table.package).returncode == 0


@pytest.mark.parametrize("options", [[], ["--certified"]])
def test_the_rows_of_parcels_are_answered_as_recorded(program: Program, options: list[str]) -> None:
    text = io.StringIO()
    cells = [[str(cell).lower() if isinstance(cell, bool) else cell for cell in row.values()] for row in CELL_ROWS]
    csv.writer(text, lineterminator="\n").writerows(cells)
    done = program("predict", *options, PARCELS, *text.getvalue().splitlines())
    lines = [line.split(",") for line in done.stdout.splitlines()[1:]]
    classes = Predictor(PARCELS).contract.classes
    labels = [classes.index(line[1]) for line in lines]
    check_outputs({"label": labels, "probabilities": [line[2:4] for line in lines]})


@pytest.mark.parametrize("every", sampled([1, 3], {"3"}))
def test_a_cell_of_another_kind_is_refused_with_its_row_and_column(
    program: Program, cell_tables: dict[str, CellTable], every: int
) -> None:
    for table, column, cell in REFUSED[::every]:
        row = cell_tables[table].csv(header=False, **{column: cell}).removesuffix("\n")
        done = program("predict", cell_tables[table].package, row)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert done.stderr.startswith(f"parity: row 0: {column} is "), done.stderr


def test_rows_of_every_kind_are_predicted_as_in_python(program: Program, shop_package: Path) -> None:
    rows = SHOP_ROWS.splitlines()[1:]
    done = program("predict", "--certified", shop_package, *rows)
    found = [line.split(",") for line in done.stdout.splitlines()[1:]]
    with Predictor(shop_package, certified=True) as predictor:
        cells = [[cell if place not in (0, 4) else float(cell or "nan") for place, cell in enumerate(row)]
                 for row in csv.reader(rows)]  # fmt: skip
        assert [line[1] for line in found] == predictor.predict(cells).tolist()
        assert np.array_equal(np.array([line[2:4] for line in found], np.float32), predictor.predict_proba(cells))
        assert [line[4] == "true" for line in found] == predictor.certified(cells).tolist()


@pytest.mark.parametrize("row", SHOP_BAD)
def test_a_bad_cell_names_its_column(program: Program, shop_package: Path, row: str) -> None:
    done = program("predict", shop_package, row)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith(f"parity: row 0: {SHOP_BAD[row]} is ")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('1,"red,2020-01-01,true,2,1', "row 0: color has a quote too many"),
        ('1,r"ed,2020-01-01,true,2,1', "row 0: color has a quote too many"),
        ('1,"red"x,2020-01-01,true,2,1', "row 0: color has a quote too many"),
        ("1,red,2020-01-01,true,2", "row 0 has fewer than 6 cells; it takes 6, from weight to shelf"),
        ("1,red,2020-01-01,true,2,1,", "row 0 has more than 6 cells"),
        (b"1,\xff,2020-01-01,true,2,1", "row 0 is not UTF-8"),
    ],
)
def test_a_row_that_is_no_csv_is_one_line(folder: Path, shop_package: Path, row: str | bytes, words: str) -> None:
    command = [folder / "build" / "asan" / "parity", "predict", shop_package, row]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith(f"parity: {words}")


@pytest.mark.parametrize("form", ["%d %B %Y", "%H:%I", "%d%", "%Y%Y", "%j", 101 * "%%"])
def test_a_format_of_dates_that_is_not_known_names_its_column(program: Program, tmp_path: Path, form: str) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    change_contract(package, lambda contract: contract["features"][4].update(format=form))
    done = program("predict", package, "1,Oslo,1,1,1 May 2020")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("parity: the column sent holds dates in the format '%")


@pytest.mark.parametrize(("place", "row"), [(1, "1,NA,1,1,2020-01-01"), (2, "1,Oslo,?,1,NA"), (4, "1,Oslo,1,1,")])
def test_a_missing_cell_that_the_model_does_not_take_is_refused(
    program: Program, tmp_path: Path, place: int, row: str
) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    assert program("predict", package, row).returncode == 0
    change_contract(package, lambda contract: contract["features"][place].update(missing="refuse"))
    done = program("predict", package, row)
    name = Predictor(package).contract.features[place].name
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"parity: row 0: {name} is missing, which this model does not allow; ")


@pytest.mark.parametrize("kind", ["categorical", "datetime", "colour", 5])
def test_a_contract_whose_kinds_do_not_fit_is_refused(program: Program, tmp_path: Path, kind: object) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    change_contract(package, lambda contract: contract["features"][0].update(kind=kind))
    done = program("verify", package)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1) and "the feature weight is" in done.stderr


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


@pytest.mark.parametrize(("name", "every"), [
    ("xor", 4), pytest.param("xor", 1, marks=pytest.mark.soak), pytest.param("shop", 1, marks=pytest.mark.soak)
])  # fmt: skip
def test_hostile_copies_give_one_line_and_no_crash(
    folder: Path, packages: dict[str, Path], name: str, every: int
) -> None:
    command = [sys.executable, "fuzz.py", "build/asan/parity", str(packages[name]), "6", str(every)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(" 0 bad")


def test_what_the_model_cannot_compute_is_no_prediction(program: Program, packages: dict[str, Path]) -> None:
    done = program("predict", packages["iris"], "5,3,1,0.2", "3e38,-3e38,3e38,-3e38")
    assert done.returncode == 1 and "row 1: the model computes no finite output" in done.stderr
