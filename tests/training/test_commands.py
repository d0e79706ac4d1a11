from pathlib import Path


def test_train_and_plot_tell_what_they_did(parity, tmp_path: Path) -> None:
    answer = parity("train", "xor", "--out", tmp_path / "r", "--epochs", 2, "--size", 200, "--test-size", 50)
    assert answer.code == 0
    assert "of 50 held-out rows are right" in answer.out
    pictures = parity("plot", tmp_path / "r").out.split()
    assert {"samples.png", "loss.png", "boundary.png"} <= {Path(picture).name for picture in pictures}
    assert all(Path(picture).stat().st_size > 5000 for picture in pictures)


def test_mistakes_are_one_line(parity, tmp_path: Path) -> None:
    assert parity("train", "iris", "--out", tmp_path / "r").is_refused(1, "--target")
    assert parity("train", "iris.csv", "--target", "y", "--out", tmp_path / "r").is_refused(
        1, "cannot read", "iris.csv"
    )
    assert parity("train", "xor", "--target", "y", "--out", tmp_path / "r").is_refused(1, "--target goes with a table")
    assert parity("train", "a.csv", "--std", 1, "--out", tmp_path / "r").is_refused(1, "--std goes with xor")
    assert parity("train", "xor", "--out", tmp_path / "r", "--epochs", 0).is_refused(1, "epochs is 0")
    assert parity("train", "xor", "--out", tmp_path).is_refused(1, "exists")
    assert parity("plot", tmp_path).is_refused(1, "is no run")
    assert parity("train", "xor").code == 2
    assert list(tmp_path.iterdir()) == []
