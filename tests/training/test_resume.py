"""Runs that are stopped, killed or run out of disk: there is always a checkpoint, and it leads to the same weights."""

import os
import random
import resource
import shlex
import signal
import time
from pathlib import Path

import pytest
import torch

from parity_training import Run, weights_id
from parity_training.weights.weights_file import load_object
from tests.training.tables import classes_table
from tests.warm_process import Forked, WarmProcess

pytestmark = pytest.mark.slow

EPOCHS = 80
KILLS = int(os.environ.get("PARITY_KILLS", "2"))  # make soak asks for 50
NETWORK = (
    *("--arg", "hidden=[16,16]", "--arg", "dropout=0.2", "--scheduler", "StepLR", "--scheduler-arg", "step_size=20"),
    *("--patience", "1000", "--epochs", str(EPOCHS), "--batch-size", "8", "--class-weights", "balanced"),
)


def unfinished(out: Path) -> Path:
    return out.with_name(f"{out.name}.unfinished")


def train(data: Path, out: Path, *options: str) -> list[object]:
    return ["train", data, "--out", out, *options]


def finish(warm: WarmProcess, data: Path, out: Path, *options: str) -> str:
    done = warm.run(train(data, out, *options))
    assert done.returncode == 0, done.err
    return weights_id(Run.open(out).state_dict())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes_table(tmp_path_factory.mktemp("data") / "t.csv", rows=400)


@pytest.fixture(scope="module")
def uninterrupted(warm: WarmProcess, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    finish(warm, data, out, "--target", "kind", *NETWORK)
    return Run.open(out)


def start(warm: WarmProcess, data: Path, out: Path, *options: str) -> Forked:
    """Start a training and wait until it has begun."""
    process = warm.start(train(data, out, *options))
    give_up = time.monotonic() + 60
    while not (unfinished(out) / "tensorboard").exists() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.soak),
    ],
)  # fmt: skip
def test_a_signal_saves_says_how_to_go_on_and_going_on_gives_the_same_weights(
    warm: WarmProcess, data: Path, uninterrupted: Run, tmp_path: Path, number: int, code: int
) -> None:
    process = start(warm, data, tmp_path / "run", "--target", "kind", *NETWORK)
    time.sleep(0.4)
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code, err
    assert "parity: stopped in epoch" in err
    assert "Traceback" not in err
    going_on = err.splitlines()[-1].rpartition("to continue: parity ")[2]
    assert shlex.split(going_on) == ["train", str(data), "--out", str(tmp_path / "run"), "--resume"]
    assert not (tmp_path / "run").exists()
    checkpoint = load_object(tmp_path / "run.unfinished" / "checkpoint.pt")
    assert (0, 0) < (checkpoint["epoch"], checkpoint["step"]) < (EPOCHS, 0)
    assert finish(warm, data, tmp_path / "run", "--resume") == weights_id(uninterrupted.state_dict())
    for name in ("metrics.jsonl", "evaluation.json", "recipe.json", "test.csv", "profile.json"):
        assert (tmp_path / "run" / name).read_bytes() == (uninterrupted.path / name).read_bytes(), name


def test_runs_that_are_killed_again_and_again_end_with_the_same_weights(
    warm: WarmProcess, data: Path, uninterrupted: Run, tmp_path: Path
) -> None:
    chance = random.Random(4)
    run, begin = tmp_path / "0" / "run", ("--target", "kind", *NETWORK)
    process = start(warm, data, run, *begin)
    for kill in range(KILLS):
        time.sleep(chance.uniform(0, 1.2))
        process.kill()
        process.communicate()
        if (run / "state_dict.pt").exists():  # finished before the kill: that run is done, the next one begins
            check_same(run, uninterrupted)
            run = tmp_path / str(kill + 1) / "run"
            process = start(warm, data, run, *begin)
            continue
        checkpoint = load_object(unfinished(run) / "checkpoint.pt")
        assert all(bool(torch.isfinite(tensor).all()) for tensor in checkpoint["model"].values())
        process = start(warm, data, run, "--resume")
    process.kill()
    process.communicate()
    if not (run / "state_dict.pt").exists():
        finish(warm, data, run, "--resume")
    check_same(run, uninterrupted)
    assert not list(run.glob(".*.partial"))
    assert os.listdir(run.parent) == ["run"]


def check_same(run: Path, uninterrupted: Run) -> None:
    assert weights_id(Run.open(run).state_dict()) == weights_id(uninterrupted.state_dict())
    assert (run / "metrics.jsonl").read_bytes() == (uninterrupted.path / "metrics.jsonl").read_bytes()


def test_a_full_disk_is_said_and_the_old_checkpoint_survives(warm: WarmProcess, data: Path, tmp_path: Path) -> None:
    """A limit on the size of files, which the first checkpoint keeps and the next, with Adam's moments, does not."""
    options = ("--target", "kind", "--arg", "hidden=[200,200]", "--epochs", "8")
    done = warm.run(train(data, tmp_path / "run", *options), limits={resource.RLIMIT_FSIZE: 300_000})
    assert done.returncode == 1, done.err
    assert "disk is full" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert load_object(tmp_path / "run.unfinished" / "checkpoint.pt")["epoch"] == 0
    assert not list((tmp_path / "run.unfinished").glob(".*.partial"))
    whole = finish(warm, data, tmp_path / "whole", *options)
    assert finish(warm, data, tmp_path / "run", "--resume") == whole


def test_a_disk_that_fills_in_the_first_epoch_leaves_what_was_saved(warm: WarmProcess, tmp_path: Path) -> None:
    """An epoch of more than a second: a checkpoint with Adam's moments comes in the middle of it."""
    data = classes_table(tmp_path / "t.csv", rows=12_000)
    options = ("--target", "kind", "--arg", "hidden=[200,200]", "--epochs", "1", "--batch-size", "1")
    done = warm.run(train(data, tmp_path / "run", *options), limits={resource.RLIMIT_FSIZE: 300_000})
    assert done.returncode == 1 and "disk is full" in done.err.splitlines()[-1], done.err
    assert load_object(tmp_path / "run.unfinished" / "checkpoint.pt")["epoch"] == 0


def test_resuming_wants_the_same_rows_an_unfinished_run_and_no_other_settings(
    parity, data: Path, uninterrupted: Run, tmp_path: Path
) -> None:
    run = uninterrupted.path
    assert parity("train", data, "--out", run, "--resume").is_refused(1, "has finished")
    assert parity("train", data, "--out", tmp_path, "--resume").is_refused(1, "is not a run")
    assert parity("train", data, "--out", run, "--resume", "--epochs", 9).is_refused(1, "leave out --epochs")
    place = tmp_path / "other" / "run"
    waiting = unfinished(place)
    waiting.mkdir(parents=True)
    for name in ("recipe.json", "checkpoint.pt"):
        (waiting / name).write_bytes((run / name).read_bytes())
    assert parity("train", "xor", "--out", place, "--resume").is_refused(1, "other data than xor")
    other = classes_table(tmp_path / "other.csv", rows=401)
    assert parity("train", other, "--out", place, "--resume").is_refused(1, "on other rows")
    assert parity("train", data, "--out", waiting, "--resume").is_refused(1, "name of an unfinished run")
    (waiting / "checkpoint.pt").write_bytes(b"torn")
    assert parity("train", data, "--out", place, "--resume").is_refused(1, "checkpoint.pt is damaged")
    (waiting / "checkpoint.pt").unlink()
    assert parity("train", data, "--out", place, "--resume").is_refused(1, "no checkpoint.pt")


def test_a_run_that_parity_0_1_left_in_its_own_folder_is_resumed(
    warm: WarmProcess, data: Path, uninterrupted: Run, tmp_path: Path
) -> None:
    process = start(warm, data, tmp_path / "run", "--target", "kind", *NETWORK)
    process.kill()
    process.communicate()
    unfinished(tmp_path / "run").rename(tmp_path / "run")
    assert finish(warm, data, tmp_path / "run", "--resume") == weights_id(uninterrupted.state_dict())
    assert os.listdir(tmp_path) == ["run"]


def test_a_damaged_checkpoint_is_said_and_the_one_before_leads_to_the_same_weights(
    warm: WarmProcess, data: Path, uninterrupted: Run, tmp_path: Path
) -> None:
    process = start(warm, data, tmp_path / "run", "--target", "kind", *NETWORK)
    time.sleep(0.4)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    last = tmp_path / "run.unfinished" / "checkpoint.pt"
    epoch = load_object(last)["epoch"]
    data_of_it = bytearray(last.read_bytes())
    middle = data_of_it.index(b"PK", len(data_of_it) // 2)
    data_of_it[middle - 600 : middle - 100] = bytes(500)  # a block that the disk lost, within an entry
    last.write_bytes(data_of_it)
    done = warm.run(train(data, tmp_path / "run", "--resume"))
    assert done.returncode == 0, done.err
    assert "checkpoint.pt is damaged" in done.err and "checkpoint.previous.pt is taken instead" in done.err
    assert epoch > 0
    check_same(tmp_path / "run", uninterrupted)
    assert not (tmp_path / "run" / "checkpoint.previous.pt").exists()


def test_a_signal_in_the_last_step_of_an_epoch_is_resumed_like_any_other(
    warm: WarmProcess, data: Path, tmp_path: Path
) -> None:
    """With one batch an epoch every signal comes in the last step."""
    options = ("--target", "kind", "--epochs", "700", "--patience", "700", "--batch-size", "320")
    process = start(warm, data, tmp_path / "run", *options)
    time.sleep(0.4)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 143
    assert finish(warm, data, tmp_path / "run", "--resume") == finish(warm, data, tmp_path / "whole", *options)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_processes_that_load_batches_leave_the_random_numbers_of_dropout_alone(
    warm: WarmProcess, data: Path, tmp_path: Path
) -> None:
    options = ("--target", "kind", "--epochs", "2", "--patience", "9", "--batch-size", "4", "--arg", "dropout=0.5")
    ids = {finish(warm, data, tmp_path / workers, *options, "--num-workers", workers) for workers in ("0", "1")}
    assert len(ids) == 1
