"""``parity train --log mlflow``, in the environment of ``make mlflow``: on SQLite, and on a server that is killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlflow", reason="mlflow wants another pyarrow than the tests' environment: make mlflow")
pytest.importorskip("torch", reason="make mlflow has it")

import mlflow

from parity_training import MLflowLog, XORSettings, train_xor
from parity_training.fitting import checkpoint
from parity_training.fitting.loop import EpochResult
from parity_training.run_folder import refuse_lost_files
from tests.engines.mlflow_server import MLflowServer

COMMAND = [sys.executable, "-c", "from parity_runtime.cli.main import main; main()", "train", "xor", "--out", "run"]
LOGGED = ("--log", "mlflow", "--size", "200")
EPOCHS = "4000"  # some ten seconds

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's own advice


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, whose mlflow.db is the store."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    yield tmp_path
    mlflow.set_tracking_uri(None)


def train(*options: str, uri: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"MLFLOW_TRACKING_URI": uri} if uri else {}
    return subprocess.run([*COMMAND, *options], env=environment, capture_output=True, text=True, check=False)


def the_only_run() -> Any:
    """The one run that the store's experiments have."""
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    return run


def epochs_of(run: Any) -> list[dict[str, float]]:
    """The figures that MLflow has of each epoch, in its order; one that is logged twice is an error."""
    client, found = mlflow.MlflowClient(), {}
    for name in ("loss", "validation_loss", "accuracy"):
        for one in client.get_metric_history(run.info.run_id, name):
            assert found.setdefault(one.step, {"epoch": one.step}).setdefault(name, one.value) == one.value
        steps = [one.step for one in client.get_metric_history(run.info.run_id, name)]
        assert steps == list(range(1, len(steps) + 1))
    return [found[step] for step in sorted(found)]


def check_whole(folder: Path) -> Any:
    """MLflow has one finished run, with every epoch of a run once."""
    run = the_only_run()
    assert run.info.status == "FINISHED"
    assert epochs_of(run) == [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return run


def artifacts(run: Any) -> set[str]:
    return {one.path for one in mlflow.MlflowClient().list_artifacts(run.info.run_id)}


def test_settings_epochs_evaluation_and_small_files_are_logged_and_no_weights(here: Path) -> None:
    done = train(*LOGGED, "--epochs", "3", "--experiment", "points")
    assert done.returncode == 0, done.stderr
    assert f"MLflow: experiment points at sqlite:///{here}/mlflow.db" in done.stderr
    run = check_whole(here / "run")
    assert run.info.run_name == "run" and artifacts(run) == {"recipe.json", "evaluation.json"}
    assert mlflow.get_experiment(run.info.experiment_id).name == "points"
    assert {"training.epochs": "3", "training.optimizer": "SGD", "network.name": "XORClassifier",
            "data.size": "200"}.items() <= run.data.params.items()  # fmt: skip
    evaluation = json.loads((here / "run" / "evaluation.json").read_text())
    assert run.data.metrics["test/accuracy"] == evaluation["accuracy"]
    assert json.loads((here / "run" / "mlflow.json").read_text())["run_id"] == run.info.run_id
    refuse_lost_files(here / "run")  # it holds nothing that is not its own


def test_the_weights_go_there_where_that_is_asked_for_and_mlflow_knows_the_experiment(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of the environment")
    settings = XORSettings(size=200, epochs=2)
    run = train_xor("run", settings, log=MLflowLog(weights=True))
    found = check_whole(run.path)
    assert artifacts(found) == {"recipe.json", "evaluation.json", "state_dict.pt"}
    assert mlflow.get_experiment(found.info.experiment_id).name == "of the environment"
    plain = train_xor("plain", settings)
    assert (plain.path / "recipe.json").read_bytes() == (run.path / "recipe.json").read_bytes()
    assert not (plain.path / "mlflow.json").exists()


@pytest.mark.soak
def test_a_training_that_is_killed_again_and_again_is_one_run_with_each_epoch_once(here: Path) -> None:
    kills = 0
    for options in ([*LOGGED, "--epochs", EPOCHS], ["--resume"], ["--resume"]):
        process = subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, text=True)
        kills += _saved_again(here, process)
        process.kill()
        process.communicate()
    assert kills
    if (here / "run.unfinished").exists():
        done = train("--resume")
        assert done.returncode == 0, done.stderr
    assert len(epochs_of(check_whole(here / "run"))) == int(EPOCHS)


def test_a_training_that_a_signal_stops_is_killed_there_until_it_goes_on(here: Path) -> None:
    process = subprocess.Popen([*COMMAND, *LOGGED, "--epochs", EPOCHS], stderr=subprocess.PIPE, text=True)
    assert _saved_again(here, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 143, said
    run = the_only_run()
    assert run.info.status == "KILLED" and 0 < len(epochs_of(run)) < int(EPOCHS)
    done = train("--resume")
    assert done.returncode == 0, done.stderr
    assert check_whole(here / "run").info.run_id == run.info.run_id


def _saved_again(folder: Path, process: "subprocess.Popen[str]") -> bool:
    """Wait for the next checkpoint, ahead of which MLflow has its epochs; return whether there was one."""
    checkpoint, seen = folder / "run.unfinished" / "checkpoint.pt", set()
    give_up = time.monotonic() + 120
    while len(seen) < 2 and process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(FileNotFoundError):
            seen.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.01)
    return len(seen) == 2


def test_a_training_that_fails_has_failed_there(here: Path) -> None:
    done = train(*LOGGED, "--epochs", "50", "--learning-rate", "1e6", "--optimizer-arg", "momentum=1e30")
    assert done.returncode == 1 and "the loss is" in done.stderr, done.stderr
    assert the_only_run().info.status == "FAILED"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "http://somebody:secret@127.0.0.1:9", "nowhere://at-all"])
def test_a_server_that_is_not_there_is_one_line_before_anything_is_written(here: Path, uri: str) -> None:
    done = train(*LOGGED, uri=uri)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert uri.replace("somebody:secret@", "") in done.stderr and "secret" not in done.stderr
    assert "MLFLOW_TRACKING_URI" in done.stderr
    assert list(here.iterdir()) == []


def test_processes_that_train_together_are_one_run(here: Path) -> None:
    done = train(*LOGGED, "--epochs", "4", "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert check_whole(here / "run").data.params["training.processes"] == "2"
    assert done.stderr.count("MLflow: experiment") == 1


def test_a_server_that_dies_costs_a_warning_and_gets_what_it_missed_once_it_is_back(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MLflowServer(here)
    server.start()
    mlflow.set_tracking_uri(server.uri)
    monkeypatch.setattr(checkpoint, "_SHARE", 0)  # on a busy disk, else, the next checkpoint is due after seconds

    def on_epoch(result: EpochResult) -> None:
        if result.epoch in (3, 5):
            time.sleep(1.1)  # seconds: a checkpoint is due, and with it what MLflow has not yet
        if result.epoch == 4:
            server.kill()
        if result.epoch == 8:
            server.start()

    try:
        with pytest.warns(UserWarning, match="MLflow does not accept the log") as said:
            train_xor("run", XORSettings(size=200, epochs=9), on_epoch=on_epoch, log="mlflow")
        assert len([one for one in said if "MLflow does not" in str(one.message)]) == 1
        run = check_whole(here / "run")
        assert "test/accuracy" in run.data.metrics and artifacts(run) == {"recipe.json", "evaluation.json"}
    finally:
        server.kill()


@pytest.mark.soak
def test_a_server_that_stays_away_leaves_the_run_whole(here: Path) -> None:
    server = MLflowServer(here)
    server.start()
    mlflow.set_tracking_uri(server.uri)
    with pytest.warns(UserWarning, match="MLflow does not accept the log.*is incomplete"):
        run = train_xor("run", XORSettings(size=200, epochs=3), on_epoch=lambda result: server.kill(), log="mlflow")
    plain = train_xor("plain", XORSettings(size=200, epochs=3))
    assert (run.path / "metrics.jsonl").read_bytes() == (plain.path / "metrics.jsonl").read_bytes()
    assert (run.path / "evaluation.json").is_file()
