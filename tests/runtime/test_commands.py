import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = "id,x1,x2\na,0,0\nb,0,1\nc,1,0\nd,1,1\n"


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    return path


def test_predict_adds_columns_and_passes_the_others_through(parity, xor_package: Path, points: Path) -> None:
    lines = parity("predict", xor_package, points).out.splitlines()
    assert lines[0] == "id,x1,x2,label,probability_0,probability_1"
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["a", "0", "0", "0"], ["b", "0", "1", "1"], ["c", "1", "0", "1"], ["d", "1", "1", "0"]
    ]  # fmt: skip


def test_predict_writes_the_same_to_a_file_and_reads_stdin(
    parity, xor_package: Path, points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = parity("predict", xor_package, points, "--out", tmp_path / "scored.csv")
    assert (answer.code, answer.out) == (0, "")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + POINTS.encode())))
    assert parity("predict", xor_package, "-").out == (tmp_path / "scored.csv").read_text()


def test_rows_on_the_command_line(parity, xor_package: Path) -> None:
    lines = parity("predict", xor_package, "--row", "0,1", "--row", "1, 1").out.splitlines()
    assert [line.split(",")[2] for line in lines] == ["label", "1", "0"]


def test_a_header_alone_gives_a_header(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("x1,x2\n")
    answer = parity("predict", xor_package, tmp_path / "empty.csv")
    assert (answer.code, answer.out) == (0, "x1,x2,label,probability_0,probability_1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["is empty"]),
        ("x1\n1\n", ["no column 'x2'", "x1"]),
        ("x1,x1,x2\n1,1,1\n", ["'x1' twice"]),
        ("x1,x2\n1\n", ["row 1", "1 cells"]),
        ("x1,x2\n1,2\n1,abc\n", ["row 2", "x2 is 'abc'", "not a number"]),
        ("x1,x2\n1,\n", ["row 1: x2 is missing"]),
        ("x1,x2\n1,inf\n", ["row 1", "x2 is 'inf'"]),
        ("x1,x2\n1,1e99\n", ["row 1", "x2 is '1e99'", "float32"]),
        ("x1,x2,probability_1\n1,1,1\n", ["'probability_1' already"]),
        ('x1,x2\n1,"2\n', ["line 2", "not CSV"]),
    ],
)
def test_a_bad_table_is_one_line_and_leaves_no_output(
    parity, xor_package: Path, tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "bad.csv").write_text(text)
    answer = parity("predict", xor_package, tmp_path / "bad.csv", "--out", tmp_path / "out.csv")
    assert answer.is_refused(1, "bad.csv", *words), answer
    assert os.listdir(tmp_path) == ["bad.csv"]


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["predict", "absent", "points.csv"], 1, "absent is not a package: there is no such folder"),
        (["verify", "TABLE"], 1, "is not a package: it is a file, not a folder"),
        (["predict", ".", "points.csv"], 1, ". is not a package: it has no manifest.json"),
        (["predict", "PACKAGE", "absent.csv"], 1, "cannot read the table"),
        (["predict", "PACKAGE", "--row", "1"], 1, "1 cell;"),
        (["predict", "PACKAGE", "--row", "1,x"], 1, "--row, row 1: x2 is 'x', not a number"),
        (["predict", "PACKAGE", "--row", "0,0", "--row", "1,$5"], 1, "--row, row 2: x2 is '$5', not a number"),
        (["predict", "PACKAGE"], 2, "either a TABLE"),
        (["predict", "PACKAGE", "--row", "1,1", "--provider", "tpu"], 2, "tpu"),
        (["predict", "PACKAGE", "--row", "1,1", "--provider", "cuda"], 1, "CUDA"),
        (["evaluate", "PACKAGE", "TABLE", "--target", "nothing"], 1, "no column 'nothing'"),
        (["evaluate", "PACKAGE", "TABLE", "--target", "x1"], 1, "not a class of 0, 1"),
        (["info", "absent"], 1, "is not a package"),
        (["verify", "absent"], 1, "is not a package"),
        (["verify", "PACKAGE", "--digest", "00"], 3, "is the package"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_a_mistake_has_its_exit_code_and_its_word(
    parity, xor_package: Path, xor_test: Path, arguments: list[str], code: int, word: str
) -> None:
    names = {"PACKAGE": str(xor_package), "TABLE": str(xor_test)}
    answer = parity(*[names.get(argument, argument) for argument in arguments])
    assert answer.code == code, answer
    assert word in answer.err
    assert "Traceback" not in answer.err
    assert code == 2 or len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        (["--at-least", "accuracy=0.99", "--at-most", "log_loss=0.5"], 0, ""),
        (["--at-least", "accuracy=0.99", "--at-least", "rows=501"], 3, "rows is 500, not at least 501"),
        (["--at-most", "log_loss=0.0001"], 3, "log_loss is 0.0"),
        (["--at-least", "accuracy=nan"], 2, "'accuracy=nan' is not a limit"),
        (["--at-least", "beauty=1"], 2, "there is no metric 'beauty'; there are rows, accuracy"),
        (["--at-least", "confusion=1"], 2, "there is no metric 'confusion'"),
        (["--at-least", "accuracy"], 2, "'accuracy' is not a limit; write it as accuracy=0.99"),
    ],
)
def test_evaluate_is_a_gate(
    parity, xor_package: Path, xor_test: Path, limits: list[str], code: int, words: str
) -> None:
    answer = parity("evaluate", xor_package, xor_test, *limits)
    assert answer.code == code and words in answer.err
    assert ("accuracy" in answer.out) == (code in (0, 3))


def test_evaluate_prints_the_metrics_of_training(parity, xor_package: Path, xor_test: Path) -> None:
    answer = parity("evaluate", xor_package, xor_test, "--target", "label", "--json")
    found, trained = json.loads(answer.out), json.loads(xor_test.with_name("evaluation.json").read_text())
    assert found["confusion"] == trained["confusion"]
    assert found["log_loss"] == pytest.approx(trained["log_loss"], abs=1e-6)
    assert found["rows"] == 500
    assert found["accuracy"] >= 0.995
    assert "accuracy" in parity("evaluate", xor_package, xor_test).out


def test_info_says_what_a_package_holds(parity, xor_package: Path) -> None:
    answer = parity("info", xor_package)
    for word in ("xor: binary", "features: float32[batch, 2]", "x1", "positive    1", "onnxruntime 1.18", "package"):
        assert word in answer.out
    assert json.loads(parity("info", xor_package, "--json").out)["format"] == "parity/2"


def test_verify_exits_with_3_when_a_file_differs(parity, xor_copy: Path) -> None:
    assert parity("verify", xor_copy).code == 0
    with (xor_copy / "README.md").open("a") as file:
        file.write("!")
    assert parity("verify", xor_copy).is_refused(3, "README.md", "sha256 differs")


def test_head_closes_the_pipe_quietly(xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text("x1,x2\n" + "0.5,0.25\n" * 50_000)
    script = "from parity_runtime.cli.main import main; main()"
    command = f"{sys.executable} -c '{script}' predict {xor_package} {tmp_path / 'many.csv'} | head -n 2"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (result.stderr, len(result.stdout.splitlines())) == ("", 2)


def test_help_names_every_command_without_importing_them(parity) -> None:
    answer = parity("--help")
    for command in ("train", "plot", "export", "info", "verify", "predict", "evaluate"):
        assert command in answer.out
    assert parity("--version").out.startswith("parity, version ")


def test_out_follows_a_link_writes_to_a_pipe_and_never_into_the_package(
    parity, xor_copy: Path, points: Path, tmp_path: Path
) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert parity("predict", xor_copy, points, "--out", tmp_path / "link.csv").code == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("id,x1,x2,label")
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE, text=True) as reader:
        assert parity("predict", xor_copy, points, "--out", tmp_path / "pipe").code == 0
        assert reader.communicate(timeout=20)[0].startswith("id,x1,x2,label")
    assert (tmp_path / "pipe").is_fifo()
    inside = parity("predict", xor_copy, points, "--out", xor_copy / "model.onnx")
    assert inside.is_refused(1, "lies inside the package"), inside


@pytest.mark.parametrize("cell", ["1_0", "\u0663"])
def test_only_plain_decimal_numbers_are_numbers(parity, xor_package: Path, tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.csv").write_text(f"x1,x2\n1,{cell}\n", encoding="utf-8")
    assert parity("predict", xor_package, tmp_path / "t.csv").is_refused(1, "not a number")


def test_evaluate_says_why_there_is_no_roc_curve(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2,label\n0,0,0\n1,1,0\n")
    answer = parity("evaluate", xor_package, tmp_path / "t.csv", "--at-least", "roc_auc=0.9")
    assert "roc_auc           none (it takes rows of every class; no row is 1)" in answer.out
    assert answer.code == 3 and "roc_auc is none (it takes rows of every class; no row is 1), not at" in answer.err
    assert json.loads(parity("evaluate", xor_package, tmp_path / "t.csv", "--json").out)["roc_auc"] is None


def test_one_row_is_one_row(parity, xor_package: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x1,x2,label\n0,0,0\n")
    (tmp_path / "row.csv").write_text("x1,x2\n0,0\n")
    out = tmp_path / "scored.csv"
    assert f"1 row predicted in {out}" in parity("predict", xor_package, tmp_path / "row.csv", "--out", out).err
    (tmp_path / "bad.csv").write_text("x1,x2\n0,0\n0,x\n")
    assert "parity: 1 row was left out" in parity("predict", xor_package, tmp_path / "bad.csv", "--errors", "skip").err
    (tmp_path / "none.csv").write_text("x1,x2,label\n0,0,\n")
    assert parity("evaluate", xor_package, tmp_path / "none.csv").is_refused(1, "missing in the only row")
