from pathlib import Path


def test_train_and_plot_tell_what_they_did(parity, tmp_path: Path) -> None:
    answer = parity("train", "xor", "--out", tmp_path / "r", "--epochs", 2, "--size", 200, "--test-size", 50)
    assert answer.code == 0
    assert "trained on 200 points for 2 epochs" in answer.out
    assert "of 50 held-out points" in answer.out
    pictures = parity("plot", tmp_path / "r").out.split()
    assert [Path(picture).name for picture in pictures] == ["samples.png", "loss.png", "boundary.png"]
    assert all(Path(picture).stat().st_size > 5000 for picture in pictures)


def test_mistakes_are_one_line(parity, tmp_path: Path) -> None:
    assert parity("train", "iris", "--out", tmp_path / "r").is_refused(1, "unknown data 'iris'")
    assert parity("train", "xor", "--out", tmp_path / "r", "--epochs", 0).is_refused(1, "epochs is 0")
    assert parity("train", "xor", "--out", tmp_path).is_refused(1, "exists")
    assert parity("plot", tmp_path).is_refused(1, "is no run")
    assert parity("train", "xor").code == 2
    assert list(tmp_path.iterdir()) == []
