"""What is decided when training has ended: the temperature, the threshold; and what folds say of the figures."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import FormatError, Predictor
from parity_runtime.contract import binary_logit_threshold
from parity_training import (
    NetworkChoice,
    Run,
    StoppedError,
    TrainingData,
    TrainSettings,
    XORSettings,
    resume,
    train_model,
    weights_id,
    xor_data,
)
from parity_training.fitting.calibration import best_temperature
from parity_training.fitting.decision_threshold import Goal
from parity_training.fitting.loop import EpochResult
from tests.training.tables import classes_table, write_table
from tests.warm_process import WarmProcess


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(1500, 4)).round(4)
    kind = np.where(x[:, 0] + random.normal(0, 1.0, 1500) > 1.2, "yes", "no")
    columns = dict(zip("abcd", x.T, strict=True)) | {"kind": kind}
    return write_table(tmp_path_factory.mktemp("noisy") / "t.csv", columns)


def test_the_temperature_is_where_the_cross_entropy_is_smallest() -> None:
    random = np.random.default_rng(0)
    for width in (1, 4):
        logits = torch.from_numpy(random.normal(size=(500, width)) * 3).float()
        true = torch.from_numpy(random.integers(0, max(width, 2), 500))
        true[:250] = (logits[:250, 0] > 0).long() if width == 1 else logits[:250].argmax(dim=1)
        found = best_temperature(logits, true)
        assert all(_cross_entropy(logits / found, true) <= _cross_entropy(logits / other, true) + 1e-9
                   for other in (found * 0.99, found * 1.01, 1.0))  # fmt: skip


def _cross_entropy(logits: torch.Tensor, true: torch.Tensor) -> float:
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return float(torch.nn.functional.cross_entropy(logits.double(), true))


def test_rows_that_are_all_right_say_nothing_of_the_temperature() -> None:
    assert best_temperature(torch.tensor([[3.0], [-2.0]]), torch.tensor([1, 0])) == 1.0


def test_logits_that_are_far_too_large_get_the_highest_temperature() -> None:
    assert best_temperature(torch.tensor([[100.0]] * 4), torch.tensor([1, 1, 1, 0])) == 20
    assert best_temperature(torch.tensor([[3.0], [-2.0]]), torch.tensor([0, 1])) == 1  # none is right


@pytest.mark.slow
def test_a_temperature_is_a_buffer_that_travels_into_the_package(parity, noisy: Path, tmp_path: Path) -> None:
    options = ("--target", "kind", "--epochs", 50, "--patience", 50, "--arg", "hidden=[64,64]")
    for name, more in (("plain", ()), ("calibrated", ("--calibrate",))):
        answer = parity("train", noisy, *options, *more, "--out", tmp_path / name)
        assert answer.code == 0, answer.err
        assert parity("export", tmp_path / name, tmp_path / f"{name}-p", "--no-plots", "--effort", "quick").code == 0
    evaluation = json.loads((tmp_path / "calibrated" / "evaluation.json").read_text())
    assert evaluation["temperature"] != 1
    state = Run.open(tmp_path / "calibrated").state_dict()
    assert float(state["target.inverse"]) == pytest.approx(1 / evaluation["temperature"], rel=1e-6)
    rows = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    plain, calibrated = (Predictor(tmp_path / f"{name}-p") for name in ("plain", "calibrated"))
    logits = [predictor.run({"features": rows})["logits"] for predictor in (plain, calibrated)]
    assert logits[1] == pytest.approx(logits[0] / evaluation["temperature"], rel=1e-5)


@pytest.mark.parametrize("goal", ["f1", "recall=0.8", "precision=0.7", "cost=1,5"])
def test_no_other_threshold_serves_the_goal_better(goal: str) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=300).round(1).astype(np.float32)  # with ties
    positive = logits + random.normal(0, 1, 300) > 0.8
    found = Goal.parse(goal).best(positive, logits)
    chosen = _served(goal, positive, logits >= np.log(found["value"] / (1 - found["value"])))
    others = [_served(goal, positive, logits >= value) for value in np.unique(logits)]
    assert found["reached"] and chosen == max(others)


def _served(goal: str, positive: np.ndarray, predicted: np.ndarray) -> float:
    hits, alarms = (predicted & positive).sum(), (predicted & ~positive).sum()
    recall, precision = hits / positive.sum(), hits / max(predicted.sum(), 1)
    match goal:
        case "f1":
            return float(2 * hits / (predicted.sum() + positive.sum()))
        case "recall=0.8":
            return float(precision) if recall >= 0.8 else -1.0
        case "precision=0.7":
            return float(recall) if precision >= 0.7 else -1.0
    return float(-(alarms + 5 * (positive.sum() - hits)))


@pytest.mark.parametrize("goal", ["f1", "recall=0.6", "precision=0.5", "cost=1,5"])
@pytest.mark.parametrize("logit", [0.5, 1.0, 1.0000001, 3.0, -7.3, 20.0, 25.0, 29.0, 40.0, -29.0, -50.0])
def test_the_figures_of_a_threshold_are_those_of_the_contract_that_holds_it(goal: str, logit: float) -> None:
    logits = np.array([logit] * 5, np.float32)
    for place in range(1, 5):  # neighbours, which a probability may be too coarse to tell apart
        logits[place] = np.nextafter(logits[place - 1], np.float32(np.inf))
    positive = np.array([False, True, False, True, True])
    found = Goal.parse(goal).best(positive, logits)
    predicted = logits >= np.float32(binary_logit_threshold(found["value"]))
    hits = (predicted & positive).sum()
    assert found["recall"] == hits / 3 and found["precision"] == hits / max(predicted.sum(), 1)


@pytest.mark.parametrize("text", ["f1", "recall=0.9", "precision=1", "cost=1,10", "cost=0.1234567,12345678"])
def test_a_goal_is_said_as_it_was_written(text: str) -> None:
    assert Goal.parse(text).text == text


def test_of_thresholds_that_find_as_many_rows_the_most_precise_is_taken() -> None:
    found = Goal.parse("precision=0.5").best(np.array([False, True, True]), np.array([0, 1, 2], np.float32))
    assert found["recall"] == found["precision"] == 1


def test_a_precision_that_no_threshold_reaches_is_said_and_the_nearest_is_taken() -> None:
    found = Goal.parse("precision=0.99").best(
        np.array([True, False, False, True]), np.array([0, 1, 2, 0.5], np.float32)
    )
    assert not found["reached"] and found["precision"] == 0.5 and 0 < found["value"] < 1


def test_a_threshold_for_a_goal_is_in_the_contract_and_counts_when_it_is_evaluated(
    parity, noisy: Path, tmp_path: Path
) -> None:
    options = ("--target", "kind", "--epochs", 10, "--threshold-for", "recall=0.9", "--out", tmp_path / "run")
    answer = parity("train", noisy, *options)
    assert answer.code == 0, answer.err
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    contract = Run.open(tmp_path / "run").recipe.contract
    assert contract.threshold == evaluation["threshold"]["value"] != 0.5
    assert evaluation["threshold"]["recall"] >= 0.9 and evaluation["recall"] > 0.7
    assert parity("export", tmp_path / "run", tmp_path / "p", "--no-plots", "--effort", "quick").code == 0
    evaluated = json.loads(parity("evaluate", tmp_path / "p", tmp_path / "run" / "test.csv", "--json").out)
    assert evaluated["confusion"] == evaluation["confusion"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--threshold-for", "recall=2"), "--threshold-for is 'recall=2'; it is f1, recall=0.9"),
        (("--threshold-for", "nonsense"), "--threshold-for is 'nonsense'; it is f1"),
        (("--threshold-for", "f1", "--threshold", "0.3"), "leave out one of them"),
        (("--threshold-for", "f1", "--validation", "0"), "--threshold-for needs validation rows"),
        (("--threshold-for", "f1", "--validation", "0", "--memory", "5MB"), "--threshold-for needs validation rows"),
        (("--calibrate", "--validation", "0"), "--calibrate needs validation rows"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_training(
    parity, noisy: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    answer = parity("train", noisy, "--target", "kind", *options, "--out", tmp_path / "run")
    assert answer.code == 1 and said in answer.err, answer.err
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.unfinished").exists()


def test_a_threshold_goes_with_two_classes(parity, tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv", classes=("a", "b", "c"))
    answer = parity("train", path, "--target", "kind", "--threshold-for", "f1", "--out", tmp_path / "run")
    assert answer.code == 1 and "is for two classes; kind is a multiclass target" in answer.err


def test_folds_give_mean_and_spread_beside_the_run_itself(parity, noisy: Path, tmp_path: Path) -> None:
    plain = ("train", noisy, "--target", "kind", "--epochs", 5, "--out")
    assert parity(*plain, tmp_path / "plain").code == 0
    answer = parity(*plain, tmp_path / "run", "--folds", 4)
    assert answer.code == 0, answer.err
    assert weights_id(Run.open(tmp_path / "run").state_dict()) == weights_id(Run.open(tmp_path / "plain").state_dict())
    folds = json.loads((tmp_path / "run" / "evaluation.json").read_text())["folds"]
    assert folds["count"] == 4 and sum(folds["rows"]) == 1500
    accuracy = folds["metrics"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(np.mean(accuracy["values"]))
    assert accuracy["std"] == pytest.approx(np.std(accuracy["values"], ddof=1))
    assert not (tmp_path / "run" / "folds.json").exists()


@pytest.mark.slow
def test_a_cross_validation_that_is_killed_goes_on_with_the_folds_that_are_left(
    warm: WarmProcess, noisy: Path, tmp_path: Path
) -> None:
    def command(out: Path, *more: str) -> list[object]:
        return ["train", noisy, "--target", "kind", "--epochs", "20", "--folds", "3", "--out", out, *more]

    assert warm.run(command(tmp_path / "whole")).returncode == 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        out = tmp_path / f"run{number}"
        process = warm.start(command(out))
        done, give_up = out.with_name(f"{out.name}.unfinished") / "folds.json", time.monotonic() + 120
        while not done.exists() and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.01)
        os.kill(process.pid, number)
        process.wait()
        assert done.exists() and not out.exists()
        resumed = warm.run(["train", noisy, "--out", out, "--resume"])
        assert resumed.returncode == 0, resumed.err
        for name in ("evaluation.json", "test.csv"):
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingData]:
    """A run that was stopped in the second of three folds, and its rows."""
    data, out = xor_data(XORSettings(size=100)), tmp_path_factory.mktemp("stopped") / "run"

    def stop(epoch: EpochResult) -> None:
        if epoch.fold == 2:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(StoppedError):
        train_model(data, NetworkChoice("XORClassifier"), TrainSettings(epochs=2, folds=3), out, on_epoch=stop)
    return out, data


@pytest.mark.parametrize("folds", [5, None, [1, 2], [{}], [{"rows": 3.5}], [{"rows": 3, "accuracy": "1"}],
                                   [{"rows": 3}] * 4])  # fmt: skip
def test_figures_of_folds_that_are_none_are_refused(stopped: tuple[Path, TrainingData], folds: object) -> None:
    out, data = stopped
    path = out.with_name("run.unfinished") / "folds.json"
    path.write_text(json.dumps({"folds": folds}))
    with pytest.raises(FormatError, match="folds.json holds no figures of 3 folds at most"):
        resume(out, data)


def test_the_figures_of_folds_are_there_until_the_run_has_its_name(tmp_path: Path) -> None:
    data, out = xor_data(XORSettings(size=100)), tmp_path / "run"
    train_model(data, NetworkChoice("XORClassifier"), TrainSettings(epochs=2, folds=3), out)
    unfinished = out.rename(tmp_path / "run.unfinished")  # as a process that is killed at the very end leaves it
    (unfinished / "folds.json").write_text('{"folds": []}')
    assert resume(out, data).path == out and not (out / "folds.json").exists()
