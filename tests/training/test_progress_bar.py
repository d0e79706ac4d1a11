"""The bar of a training: tqdm's, on stderr where there is no notebook."""

import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from parity_runtime import MissingExtraError
from parity_training import (
    NetworkChoice,
    StoppedError,
    TrainSettings,
    XORSettings,
    resume,
    train_model,
    train_xor,
    xor_data,
)
from parity_training.fitting.loop import EpochResult

SETTINGS = XORSettings(size=200, epochs=6)


def last_bar(err: str) -> str:
    return err.rstrip().split("\r")[-1]


def test_no_bar_is_shown_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_xor(tmp_path / "run", SETTINGS)
    assert capsys.readouterr().err == ""


def test_a_bar_shows_epochs_loss_and_metrics_and_the_caller_is_told_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[EpochResult] = []
    run = train_xor(tmp_path / "run", SETTINGS, progress=True, on_epoch=told.append)
    shown = last_bar(capsys.readouterr().err)
    assert shown.startswith("training: 100%") and " 6/6 " in shown
    assert f"loss {told[-1].loss:.4f}, accuracy {told[-1].metrics['accuracy']:.4g}" in shown
    assert [result.epoch for result in told] == [1, 2, 3, 4, 5, 6]
    assert "progress" not in run.recipe.training


def test_the_bar_of_a_training_that_ends_early_is_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[EpochResult] = []
    settings = TrainSettings(epochs=500, patience=1, learning_rate=0.5)
    train_model(
        xor_data(XORSettings(size=200)), NetworkChoice("MLP", {"hidden": [4]}), settings, tmp_path / "run",
        progress=True, on_epoch=told.append,
    )  # fmt: skip
    assert len(told) < 500 and f" {len(told)}/{len(told)} " in last_bar(capsys.readouterr().err)


def test_the_bar_counts_the_epochs_of_folds_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = replace(SETTINGS.training(), epochs=2, folds=3)
    train_model(xor_data(SETTINGS), NetworkChoice("XORClassifier"), settings, tmp_path / "run", progress=True)
    shown = last_bar(capsys.readouterr().err)
    assert " 8/8 " in shown and "fold 3, loss" in shown


def test_a_stopped_bar_stays_where_it_is_and_a_resumed_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(result: EpochResult) -> None:
        if result.epoch == 4:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(StoppedError):
        train_xor(tmp_path / "run", SETTINGS, progress=True, on_epoch=stop)
    assert " 4/6 " in last_bar(capsys.readouterr().err)
    resume(tmp_path / "run", xor_data(SETTINGS), progress=True)
    bars = capsys.readouterr().err
    assert " 4/6 " in bars.split("\r")[1] and " 6/6 " in last_bar(bars)


def test_without_tqdm_the_extra_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(MissingExtraError, match=r"\[notebook\]"):
        train_xor(tmp_path / "run", SETTINGS, progress=True)
    assert list(tmp_path.iterdir()) == []


def test_a_process_without_stderr_trains_without_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    told: list[EpochResult] = []
    train_xor(tmp_path / "run", SETTINGS, progress=True, on_epoch=told.append)
    assert [result.epoch for result in told] == [1, 2, 3, 4, 5, 6]
