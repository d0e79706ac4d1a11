import sys
from pathlib import Path

import pytest

from tests.terminal import on_terminal
from tests.training.tables import classes_table


@pytest.mark.slow
def test_train_and_plot_tell_what_they_did(parity, tmp_path: Path) -> None:
    answer = parity("train", "xor", "--out", tmp_path / "r", "--epochs", 2, "--size", 200, "--test-size", 50)
    assert answer.code == 0
    assert "of 50 held-out rows are right" in answer.out
    plots = parity("plot", tmp_path / "r").out.split()
    assert {"samples.png", "loss.png", "boundary.png"} <= {Path(picture).name for picture in plots}
    assert all(Path(picture).stat().st_size > 5000 for picture in plots)


def test_a_terminal_shows_the_epochs_with_loss_and_metric(parity, tmp_path: Path) -> None:
    data = ["train", "xor", "--size", "64", "--validation-size", "16", "--epochs", "3", "--out"]
    command = str(Path(sys.executable).parent / "parity")
    out, shown = on_terminal([command, *data, str(tmp_path / "a")])
    assert b"run: " in out
    assert "training" in shown and "100%" in shown and "loss 0." in shown and "accuracy 0." in shown
    assert parity(*data, tmp_path / "b").err == ""


def test_mistakes_are_one_line(parity, tmp_path: Path) -> None:
    assert parity("train", "iris", "--out", tmp_path / "r").is_refused(1, "--target")
    assert parity("train", "iris.csv", "--target", "y", "--out", tmp_path / "r").is_refused(
        1, "cannot read", "iris.csv"
    )
    assert parity("train", "xor", "--target", "y", "--out", tmp_path / "r").is_refused(1, "--target is for a table")
    assert parity("train", "a.csv", "--std", 1, "--out", tmp_path / "r").is_refused(1, "--std is for xor")
    assert parity("train", "xor", "--out", tmp_path / "r", "--epochs", 0).is_refused(1, "epochs is 0")
    assert parity("train", "xor", "--out", tmp_path).is_refused(1, "exists")
    assert parity("plot", tmp_path).is_refused(1, "is not a run")
    assert parity("train", "xor").code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_force_replaces_a_run_and_nothing_else(parity, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "recipe.json").write_text('{"cake": 1}')
    quick = ("train", "xor", "--epochs", 1, "--size", 64, "--force", "--out")
    assert parity(*quick, tmp_path / "other").is_refused(1, "holds no run")
    assert parity(*quick, tmp_path / "run").code == 0
    (tmp_path / "run" / "data.csv").write_text("years of work")
    assert parity(*quick, tmp_path / "run").is_refused(1, "data.csv", "would be lost")
    assert (tmp_path / "run" / "data.csv").read_text() == "years of work"
    (tmp_path / "run" / "data.csv").unlink()
    assert parity("plot", tmp_path / "run").code == 0
    assert parity(*quick, tmp_path / "run").code == 0


def test_what_was_evaluated_is_said(parity, tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv")
    common = ("train", path, "--target", "kind", "--epochs", 1, "--test", 0)
    assert "of 20 validation rows" in parity(*common, "--out", tmp_path / "a").out
    assert "of 200 training rows" in parity(*common, "--validation", 0, "--out", tmp_path / "b").out


def test_a_header_alone_is_one_line(parity, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y")
    answer = parity("train", tmp_path / "t.csv", "--target", "y", "--out", tmp_path / "run")
    assert answer.is_refused(1, "has no rows to train on")


@pytest.mark.slow
def test_thirty_classes_are_drawn_without_a_legend_over_them(parity, tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv", rows=600, classes=tuple(f"${index}_$" for index in range(30)))
    write = ("train", path, "--target", "kind", "--epochs", 1, "--out", tmp_path / "run")
    assert parity(*write).code == 0
    drawn = {Path(picture).stem for picture in parity("plot", tmp_path / "run").out.split()}
    of_classes = {"samples", "boundary", "confusion", "roc", "precision_recall", "calibration"}
    assert drawn - {"partial_dependence"} == {"loss", "importance"} | of_classes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--optimizer", "adm"), "no optimizer 'adm'; did you mean Adam?"),
        (("--scheduler", "steplr"), "no scheduler 'steplr'; did you mean StepLR?"),
        (("--loss", "BCELos"), "; did you mean BCELoss?"),
        (("--network", "mpl"), "; did you mean MLP?"),
        (("--network", "MLP", "--arg", "activation=tanh"), "no activation 'tanh'; did you mean Tanh?"),
    ],
)
def test_a_name_that_is_nearly_right_is_offered(parity, tmp_path: Path, options: tuple, words: str) -> None:
    assert parity("train", "xor", "--out", tmp_path / "run", *options).is_refused(1, words)


@pytest.mark.parametrize(("step", "kinds", "task"), [(0.5, 240, "fractions"), (1, 240, "integers"), (0.5, 15, "few")])
def test_prices_are_no_classes(parity, tmp_path: Path, step: float, kinds: int, task: str) -> None:
    rows = 2 * kinds - 2
    prices = [0.5 + (row % kinds) * step if task != "integers" else row % kinds for row in range(rows)]
    table = tmp_path / "t.csv"
    table.write_text("a,price\n" + "".join(f"{row % 7},{price}\n" for row, price in enumerate(prices)))
    command = ("train", table, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*command, "--task", "classification")
    assert refused.code == 1 and f"{kinds} different numbers in {rows} rows" in refused.err
    assert refused.err.rstrip().endswith("leave out --task classification") and not (tmp_path / "run").exists()


def test_codes_and_ratings_are_classes(parity, tmp_path: Path) -> None:
    for name, labels in (("codes", range(25)), ("ratings", (0.5, 1.0, 1.5))):
        table = tmp_path / f"{name}.csv"
        rows = [f"{row % 7},{label}" for row, label in enumerate([*labels] * 4)]
        table.write_text("a,b\n" + "\n".join(rows) + "\n")
        options = ("--target", "b", "--task", "classification", "--epochs", 1)
        assert parity("train", table, "--out", tmp_path / name, *options).code == 0
