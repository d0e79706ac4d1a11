"""A run until it has finished: beside its target, owned by one process, discarded or continued, never mixed."""

import os
import resource
import shlex
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from parity_runtime import InputError
from parity_runtime.files.locks import held
from parity_training import Run, XORSettings, train_xor, weights_id
from parity_training.reports.run_plots import plot_run
from tests.warm_process import Forked, WarmProcess

pytestmark = pytest.mark.slow

QUICK = XORSettings(size=256, validation_size=32, test_size=32, epochs=2)


def start(warm: WarmProcess, folder: Path, *options: str) -> Forked:
    """Start a long training of runs/x and wait until it has begun."""
    process = warm.start(["train", "xor", "--out", "runs/x", "--epochs", "100000", *options], cwd=folder)
    give_up = time.monotonic() + 60
    while not (folder / "runs/x.unfinished/tensorboard").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    return process


def stop(process: Forked) -> str:
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 143, err
    return err


def test_a_run_is_trained_by_one_process_and_a_killed_one_holds_nothing(
    warm: WarmProcess, parity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process = start(warm, tmp_path)
    who = f"another process (PID {process.pid}: {sys.executable}"
    for options in ([], ["--force"], ["--resume"]):
        answer = parity("train", "xor", "--out", "runs/x", *options)
        assert answer.is_refused(1, who, "is training runs/x; wait for it, or stop it")
    process.kill()
    process.communicate()
    assert parity("train", "xor", "--out", "runs/x", "--epochs", 1, "--force").code == 0
    assert os.listdir("runs") == ["x"]


def test_a_stopped_training_is_continued_or_discarded_by_the_commands_that_are_named(
    warm: WarmProcess, parity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old = train_xor("runs/x", QUICK)
    before = {path.name: path.read_bytes() for path in old.path.iterdir() if path.is_file()}
    assert parity("train", "xor", "--out", "runs/x").is_refused(1, "exists", "--force")
    err = stop(start(warm, tmp_path, "--force", "--epochs", "150"))
    assert {path.name: path.read_bytes() for path in old.path.iterdir() if path.is_file()} == before
    going_on = shlex.split(err.rpartition("to continue: parity ")[2])
    assert going_on == ["train", "xor", "--out", "runs/x", "--force", "--resume"]
    assert parity("train", "xor", "--out", "runs/x", "--resume").is_refused(1, "add --force to --resume")
    refused = parity("export", "runs/x.unfinished", "packages/x")
    assert refused.is_refused(1, "did not finish", "parity train ... --out runs/x --resume"), refused
    shutil.move("runs/x", "runs/kept")
    assert parity("export", "runs/x", "packages/x").is_refused(1, "x.unfinished", "--resume")
    assert parity("train", "xor", "--out", "runs/x").is_refused(1, "x.unfinished holds", "--force", "--resume")
    assert parity(*going_on).code == 0
    assert sorted(os.listdir("runs")) == ["kept", "x"]


def test_files_of_others_are_never_lost(tmp_path: Path) -> None:
    out = tmp_path / "x"
    run = train_xor(out, QUICK)
    for name in ("thesis.txt", "thesis.partial", "tensorboard/thesis.txt", "my.unfinished"):
        (out / name).write_text("years of work")
        with pytest.raises(InputError, match=f"holds {name}, which is not a file of a run"):
            train_xor(out, QUICK, replace=True)
        assert (out / name).read_text() == "years of work"
        (out / name).unlink()
    (tmp_path / "x.unfinished").mkdir()
    (tmp_path / "x.unfinished" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="x.unfinished is not empty and holds no run"):
        train_xor(out, QUICK, replace=True)
    assert (tmp_path / "x.unfinished" / "thesis.txt").read_text() == "years of work"
    assert run.module() is not None


def test_a_file_that_came_into_the_old_run_meanwhile_keeps_both_runs(tmp_path: Path) -> None:
    old = weights_id(train_xor(tmp_path / "x", QUICK).state_dict())

    def add(_: object) -> None:
        (tmp_path / "x" / "notes.txt").write_text("written while it trained")

    words = r"notes.txt.*the finished run is in .*x\.unfinished: parity_training\.resume"
    with pytest.raises(InputError, match=words):
        train_xor(tmp_path / "x", replace(QUICK, seed=9), replace=True, on_epoch=add)
    assert weights_id(Run.open(tmp_path / "x").module().state_dict()) == old
    assert weights_id(Run.open(tmp_path / "x.unfinished").module().state_dict()) != old


def test_a_run_that_was_replaced_since_it_was_opened_is_not_read(tmp_path: Path) -> None:
    train_xor(tmp_path / "x", QUICK)
    opened = Run.open(tmp_path / "x")
    train_xor(tmp_path / "x", replace(QUICK, seed=9), replace=True)
    with pytest.raises(InputError, match="was replaced while it was read"):
        opened.module()
    with pytest.raises(InputError, match="was replaced while it was read"):
        plot_run(opened)


def test_a_run_is_replaced_after_those_that_read_it(tmp_path: Path) -> None:
    train_xor(tmp_path / "x", QUICK)
    opened = Run.open(tmp_path / "x")
    trainer = threading.Thread(
        target=train_xor, args=(tmp_path / "x", replace(QUICK, seed=9)), kwargs={"replace": True}
    )
    with opened.reading():
        trainer.start()
        give_up = time.monotonic() + 30
        while not (tmp_path / "x.unfinished" / "state_dict.pt").exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(0.3)
        assert Run.open(tmp_path / "x").recipe == opened.recipe
    trainer.join()
    assert Run.open(tmp_path / "x").recipe != opened.recipe
    with held(tmp_path / "x", "training"):
        pass
    assert os.listdir(tmp_path) == ["x"]


def test_a_training_that_fails_before_its_first_checkpoint_leaves_nothing(warm: WarmProcess, tmp_path: Path) -> None:
    train_xor(tmp_path / "runs/x", QUICK)
    command = ["train", "xor", "--out", "runs/x", "--force"]
    done = warm.run(command, cwd=tmp_path, limits={resource.RLIMIT_FSIZE: 3000})
    assert done.returncode == 1
    assert "the disk is full" in done.err.splitlines()[-1] and "nothing was changed there" in done.err
    assert os.listdir(tmp_path / "runs") == ["x"]
    assert Run.open(tmp_path / "runs/x").module() is not None


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("state_dict.pt", "torn", "state_dict.pt is damaged"),
        ("state_dict.pt", "zeroed", "state_dict.pt is damaged"),
        ("state_dict.pt", "gone", "did not finish"),
        ("recipe.json", "torn", "recipe.json"),
        ("test.csv", "zeroed", "test.csv"),
        ("metrics.jsonl", "torn", "metrics.jsonl"),
    ],
)
def test_a_damaged_file_of_a_run_is_one_sentence_and_the_run_can_be_replaced(
    parity, xor_run: Run, tmp_path: Path, name: str, damage: str, words: str
) -> None:
    path = Path(shutil.copytree(xor_run.path, tmp_path / "x")) / name
    data = path.read_bytes()
    middle = len(data) // 2
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:middle] if damage == "torn" else data[: middle - 200] + bytes(200) + data[middle:])
    assert parity("plot", tmp_path / "x").is_refused(1, words)
    train_xor(tmp_path / "x", QUICK, replace=True)
    assert os.listdir(tmp_path) == ["x"]
