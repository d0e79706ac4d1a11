import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import Package
from parity_runtime.cli.drift_text import drift_lines
from parity_runtime.drift.drift_limit import DriftLimit
from parity_runtime.drift.drift_report import ColumnDrift, DriftReport
from tests.runtime.conftest import DATA
from tests.runtime.test_drift import add_profile, profile_of

HEADER = "id,color,size,when,new,code,sold\n"
SAME = HEADER + "".join(
    f"{row},{'green' if row % 3 else 'red'},{1 if row % 2 else 4},1970-0{row % 3 + 1}-02,{row % 2},{row % 2 + 1},no\n"
    for row in range(40)
)
MOVED = HEADER + "".join(
    f"{row},{'blue' if row < 3 else 'red'},{'' if row == 7 else 11},2020-09-14,true,2,yes\n" for row in range(40)
)


@pytest.fixture
def profiled(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA / "mixed", tmp_path / "profiled"))
    return add_profile(folder, profile_of(Package.open(folder)).dump())


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    path = tmp_path / "moved.csv"
    path.write_text(MOVED)
    return path


def test_evaluate_shows_the_table_beside_the_training_rows(parity, profiled: Path, moved: Path) -> None:
    answer = parity("evaluate", profiled, moved)
    assert (answer.code, answer.err) == (0, "")
    assert "40 rows beside 100 rows of training" in answer.out
    lines = {line.split()[0]: line.split() for line in answer.out.splitlines() if line}
    assert lines["color"][1:5] == ["0%", "9%", "7.5%", "1%"]
    assert lines["size"][1:5] == ["2.5%", "10%", "-", "-"] and lines["size"][-2:] == ["much", "shift"]
    assert lines["size"][5] == "97.5%"
    assert lines["no"][1] == "80%" and lines["yes"][3] == "100%"


def test_evaluate_json_holds_the_same(parity, profiled: Path, moved: Path) -> None:
    drift = json.loads(parity("evaluate", profiled, moved, "--json").out)["drift"]
    assert (drift["rows"], drift["training_rows"], drift["target"]) == (40, 100, None)
    assert [column["name"] for column in drift["columns"]] == ["color", "size", "when", "new", "code"]
    assert drift["columns"][0]["unknown"] == 0.075
    assert drift["classes"][1] == {"label": "yes", "training": 0.2, "predicted": drift["classes"][1]["predicted"],
                                   "true": 1.0}  # fmt: skip


def test_a_table_like_the_training_rows_has_not_shifted(parity, profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "same.csv").write_text(SAME)
    answer = parity("evaluate", profiled, tmp_path / "same.csv", "--fail-on", "unknown=0%", "--fail-on", "outside=0%",
                    "--fail-on", "missing:size=0", "--fail-on", "psi:new=0")  # fmt: skip
    assert answer.code == 0, answer
    assert not any(line.split()[0] in ("new", "code") and "shift" in line for line in answer.out.splitlines() if line)


@pytest.mark.parametrize("more", [[], ["--threads", "3", "--batch-size", "7"], ["--columns", "id,label"]])
def test_the_summary_is_on_stderr_and_the_same_whatever_the_pieces(
    parity, profiled: Path, moved: Path, more: list[str]
) -> None:
    plain, told = parity("predict", profiled, moved, *more), parity("predict", profiled, moved, "--summary", *more)
    assert told.out == plain.out
    whole = parity("predict", profiled, moved, "--summary")
    assert told.err == whole.err and "97.5%" in told.err and "much shift" in told.err


@pytest.mark.parametrize("errors", ["skip", "null"])
def test_rows_without_an_answer_count_with_the_cells_that_can_be_read(
    parity, profiled: Path, tmp_path: Path, errors: str
) -> None:
    (tmp_path / "bad.csv").write_text("color,size,when,new,code\nblue,abc,2020-01-01,1,1\nred,1,2020-01-01,1,1\n")
    answer = parity("predict", profiled, tmp_path / "bad.csv", "--summary", "--errors", errors)
    lines = {line.split()[0]: line.split() for line in answer.err.splitlines() if line}
    assert lines["color"][3] == "50%" and lines["size"][1] == "0%", answer


def test_rows_that_are_out_of_range_count_where_they_are_refused(parity, profiled: Path, moved: Path) -> None:
    refused = ("--summary", "--out-of-range", "refuse", "--errors", "skip")
    answer = parity("predict", profiled, moved, *refused)
    lines = {line.split()[0]: line.split() for line in answer.err.splitlines() if line}
    assert (lines["size"][5], lines["when"][5]) == ("97.5%", "100%")
    assert answer.out.count("\n") == 1  # the header


def test_packages_without_a_profile_say_so_and_tell_the_rest(parity, moved: Path) -> None:
    answer = parity("predict", DATA / "mixed", moved, "--summary")
    said = answer.err.splitlines()
    assert "has no profile.json" in said[0] and "parity train" in said[0] and "97.5%" in answer.err
    refused = parity("predict", DATA / "mixed", moved, "--fail-on", "psi=0.25")
    assert refused.is_refused(1, "--fail-on psi", "has no profile.json")
    assert parity("predict", DATA / "mixed", moved, "--fail-on", "unknown=5%").code == 3


def test_a_bare_model_points_to_its_package(parity, moved: Path) -> None:
    model = DATA / "mixed" / "model.onnx"
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    answer = parity("predict", model, moved, "--summary", "--digest", digest)
    assert "is a model file without a record of its training rows" in answer.err and "--force" not in answer.err


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (["unknown=1%"], ["unknown:color is 7.5%, not at most 1%"]),
        (["unknown:color=0.05"], ["unknown:color is 7.5%, not at most 5%"]),
        (["missing=1%"], ["missing:size is 2.5%"]),
        (["outside=1%", "psi:size=0.25"], ["outside:size is 97.5%", "; psi:size is"]),
        (["psi=0.1"], ["psi:size is", "psi:new is", "not at most 0.1"]),
    ],
)
def test_a_gate_that_says_no_leaves_no_file(
    parity, profiled: Path, moved: Path, tmp_path: Path, limits: list[str], words: list[str]
) -> None:
    options = [option for limit in limits for option in ("--fail-on", limit)]
    there = set(tmp_path.iterdir())
    answer = parity("predict", profiled, moved, *options, "--out", tmp_path / "scored.csv")
    assert answer.is_refused(3, *words), answer
    assert set(tmp_path.iterdir()) == there
    (tmp_path / "scored.csv").write_text("yesterday's")
    parity("predict", profiled, moved, *options, "--out", tmp_path / "scored.csv")
    assert (tmp_path / "scored.csv").read_text() == "yesterday's"
    evaluated = parity("evaluate", profiled, moved, *options)
    assert evaluated.code == 3 and "accuracy" in evaluated.out and all(word in evaluated.err for word in words)
    piped = parity("predict", profiled, moved, *options)
    assert piped.code == 3 and piped.out.count("\n") == 41


def test_a_gate_that_says_yes_writes_the_file(parity, profiled: Path, moved: Path, tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    answer = parity("predict", profiled, moved, "--fail-on", "unknown=7.5%", "--fail-on", "missing=2.5%", "--out", out)
    assert answer.code == 0 and out.read_text().count("\n") == 41
    assert answer.err == f"40 rows predicted in {out}\n"  # nobody asked for the summary


def test_five_rows_do_not_shift_an_index_that_chance_explains(parity, profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("".join(SAME.splitlines(keepends=True)[:6]))
    assert parity("predict", profiled, tmp_path / "few.csv", "--fail-on", "psi=0").code == 0


def test_metrics_and_drift_are_one_line(parity, profiled: Path, moved: Path) -> None:
    answer = parity("evaluate", profiled, moved, "--at-least", "accuracy=1.1", "--fail-on", "unknown=1%")
    assert answer.code == 3 and len(answer.err.splitlines()) == 1
    assert "accuracy is" in answer.err and "; unknown:color is 7.5%" in answer.err


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("unknwon=1%", "did you mean unknown?"),
        ("unknown", "it is written as unknown=1%"),
        ("=1%", "there is no figure ''"),
        ("unknown=5", "is that 5%?"),
        ("unknown=1", "is that 1%?"),
        ("unknown=abc", "written as unknown=1%"),
        ("unknown=nan", "written as unknown=1%"),
        ("missing=-1%", "written as missing=1%"),
        ("missing=101%", "written as missing=1%"),
        ("missing=1,5%", "written as missing=1%"),
        ("psi=25%", "such as psi=0.25"),
        ("psi=-1", "such as psi=0.25"),
        ("psi=inf", "such as psi=0.25"),
        ("psi=", "such as psi=0.25"),
        ("unknown:colour=1%", "did you mean color?"),
        ("psi:=1", "has no feature ''"),
        ("unknown:size=1%", "size (numeric) is not a column that is text"),
        ("outside:color=1%", "color (categorical) is not a column that has a range"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_limit_that_is_none_is_refused(
    parity, profiled: Path, moved: Path, command: str, limit: str, words: str
) -> None:
    answer = parity(command, profiled, moved, "--fail-on", limit)
    assert (answer.code, answer.out) == (2, "") and words in answer.err and repr(limit) in answer.err


def test_a_limit_that_no_column_could_be_beyond_is_refused(parity, xor_package: Path, species_package: Path) -> None:
    assert "no column of xor is text" in parity("predict", xor_package, "t.csv", "--fail-on", "unknown=1%").err
    answer = parity("predict", species_package, "t.csv", "--fail-on", "outside=1%")
    assert answer.code == 2 and "no column of species has a range" in answer.err


def test_columns_with_odd_names_can_be_limited(parity, tmp_path: Path, profiled: Path) -> None:
    contract: Any = Package.open(profiled).contract
    odd = replace(contract, features=(replace(contract.features[0], name="a:b=c"), *contract.features[1:]))
    assert DriftLimit.parse("unknown:a:b=c=2%", odd) == DriftLimit("unknown", 0.02, "a:b=c")


def test_a_row_is_explained(parity, profiled: Path, moved: Path) -> None:
    answer = parity("predict", profiled, moved, "--explain-row", 1)
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line}
    assert (answer.code, answer.err) == (0, "")
    assert "row 1 of" in lines["row"]
    assert "index 1" in lines["color"] and "unknown" in lines["color"]
    assert "outside the 0.0 to 10.0 of training" in lines["size"]
    assert "1600041600" in lines["when"] and "2020-09-13T12:26:40Z of training" in lines["when"]
    scored = parity("predict", profiled, moved).out.splitlines()[1].split(",")
    assert lines["label"].split()[1] == scored[7] and lines["probability_yes"].split()[1] == scored[9]
    assert "true value: yes" in parity("evaluate", profiled, moved, "--explain-row", 1).out
    assert "NaN" in parity("predict", profiled, moved, "--explain-row", 8).out


def test_a_row_is_explained_for_machines(parity, profiled: Path, moved: Path) -> None:
    told = json.loads(parity("evaluate", profiled, moved, "--explain-row", 8, "--json").out)
    states = {cell["name"]: cell["state"] for cell in told["cells"]}
    assert states == {"color": None, "size": "missing", "when": "outside", "new": None, "code": None}
    assert told["row"] == 8 and told["problem"] is None and told["true"] == "yes"
    assert set(told["prediction"]) == {"label", "probability_no", "probability_yes"}


def test_a_row_without_an_answer_is_explained_as_well(parity, profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("color,size,when,new,code\nred,1,2020-01-01,1,1\nrad,abc,soon,maybe,007\n")
    answer = parity("predict", profiled, tmp_path / "bad.csv", "--explain-row", 2)
    assert answer.code == 0 and "no prediction: size is 'abc', not a number" in answer.out
    assert answer.out.count("cannot be read as") == 3 and "did you mean red?" in answer.out
    assert (
        parity("predict", profiled, tmp_path / "bad.csv", "--explain-row", 1).code == 0
    )  # the other row does not matter


def test_the_row_numbers_of_a_long_table_go_on(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("x1,x2\n" + "".join(f"{row},0\n" for row in range(40_000)))
    assert "39999.0" in parity("predict", xor_package, tmp_path / "long.csv", "--explain-row", 40_000).out
    answer = parity("predict", xor_package, tmp_path / "long.csv", "--explain-row", 40_001)
    assert answer.is_refused(1, "has 40000 rows; there is no row 40001")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--explain-row", "0"], "x>=1"),
        (["--explain-row", "one"], "not a valid integer"),
        (["--explain-row", "1", "--out", "x.csv"], "leave out --out"),
        (["--explain-row", "1", "--summary"], "leave out --summary"),
        (["--explain-row", "1", "--fail-on", "psi=1"], "leave out --fail-on"),
        (["--explain-row", "1", "--columns", "label"], "leave out --columns"),
    ],
)
def test_what_does_not_go_with_one_row_is_refused(
    parity, profiled: Path, moved: Path, arguments: list[str], words: str
) -> None:
    answer = parity("predict", profiled, moved, *arguments)
    assert (answer.code, answer.out) == (2, "") and words in answer.err


def test_more_that_does_not_go_with_one_row(parity, xor_package: Path, xor_test: Path) -> None:
    assert "leave out --row" in parity("predict", xor_package, "--row", "0,1", "--explain-row", 1).err
    refused = parity("evaluate", xor_package, xor_test, "--explain-row", 1, "--at-least", "accuracy=1")
    assert refused.code == 2 and "leave out --at-least" in refused.err
    absent = parity("evaluate", xor_package, xor_test, "--explain-row", 1, "--target", "lable")
    assert absent.is_refused(1, "no column 'lable'")


def test_a_malformed_profile_is_one_line(parity, profiled: Path, moved: Path) -> None:
    add_profile(profiled, b'{"format": "parity/2", "rows": 1, "columns": []}\n')
    assert parity("predict", profiled, moved, "--summary").is_refused(1, "profile.json", "columns")
    assert parity("predict", profiled, moved).code == 0  # nobody asked for it


def test_verify_checks_a_profile_as_any_other_file(parity, profiled: Path) -> None:
    assert parity("verify", profiled).code == 0
    (profiled / "profile.json").write_text("{}")
    assert parity("verify", profiled).code == 3


def test_a_process_of_its_own_exits_with_3_and_leaves_nothing(profiled: Path, moved: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from parity_runtime.cli.main import main; main()", "predict", profiled, moved]
    there = set(tmp_path.iterdir())
    done = subprocess.run([*command, "--fail-on", "unknown=1%", "--out", tmp_path / "scored.csv"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "parity: unknown:color is 7.5%, not at most 1%\n"
    assert set(tmp_path.iterdir()) == there


def test_a_regression_is_explained_with_its_values(parity, rent_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("area,rooms,age\n50,2,10\n")
    lines = parity("predict", rent_package, tmp_path / "t.csv", "--explain-row", 1).out.splitlines()
    scored = parity("predict", rent_package, tmp_path / "t.csv").out.splitlines()[1].split(",")
    assert [line.split() for line in lines[-2:]] == [["cold", scored[3]], ["warm", scored[4]]]


def test_of_many_columns_those_are_printed_of_which_most_is_to_be_said() -> None:
    columns = [ColumnDrift(f"f{place}", "numeric", 0.0, 0.0, None, None, 0.0, place / 100, 0.01) for place in range(50)]
    columns[0] = replace(columns[0], missing=0.9)
    lines = list(drift_lines(DriftReport(10, 10, tuple(columns))))
    assert [line.split()[0] for line in lines[3:23]] == ["f0", *(f"f{place}" for place in range(31, 50))]
    assert lines[-1] == "and 30 columns with less; parity evaluate --json has all"
