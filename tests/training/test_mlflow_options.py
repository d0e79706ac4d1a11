"""What ``--log mlflow`` does where MLflow is not installed: options, a recipe as parameters, a run that goes on."""

import json
import signal
import sys
import warnings
from pathlib import Path

import pytest

from parity_runtime import FormatError, InputError
from parity_training import MLflowLog, StoppedError, XORSettings, resume, train_xor, weights_id, xor_data
from parity_training.fitting.mlflow_log import shown_uri
from parity_training.fitting.recipe_parameters import LONGEST_VALUE, recipe_parameters

SETTINGS = XORSettings(size=100, epochs=3)
PLACE = {"tracking_uri": "sqlite:////nowhere/mlflow.db", "experiment_id": "0", "weights": False, "run_id": "0123"}

slow = pytest.mark.slow


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Where a run will stand whose training was stopped after its first epoch."""
    with pytest.raises(StoppedError):
        train_xor(tmp_path / "run", SETTINGS, on_epoch=lambda _: signal.raise_signal(signal.SIGTERM))
    return tmp_path / "run"


@slow
def test_a_run_that_was_logged_goes_on_where_mlflow_is_missing_with_a_warning(
    stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    unfinished = stopped.with_name("run.unfinished")
    (unfinished / "mlflow.json").write_text(json.dumps(PLACE))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run = resume(stopped, xor_data(SETTINGS))
    first, last = (str(one.message) for one in said)
    assert "needs MLflow 3" in first and "the training continues" in first and "is incomplete" in last
    whole = train_xor(stopped.with_name("whole"), SETTINGS)
    assert weights_id(run.state_dict()) == weights_id(whole.state_dict())
    assert json.loads((stopped / "mlflow.json").read_text()) == PLACE


@slow
@pytest.mark.parametrize("damage", [{"tracking_uri": None}, {"weights": "yes"}, {"run_id": 7}])
def test_a_place_that_is_not_written_as_the_format_says_is_refused(stopped: Path, damage: dict[str, object]) -> None:
    (stopped.with_name("run.unfinished") / "mlflow.json").write_text(json.dumps(PLACE | damage))
    with pytest.raises(FormatError, match=r"mlflow\.json is not written as"):
        resume(stopped, xor_data(SETTINGS))


def test_options_of_mlflow_go_with_it_and_a_resumed_run_keeps_its_own(parity, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert parity("train", "xor", "--out", out, "--experiment", "a").is_refused(1, "--experiment is for --log mlflow")
    assert parity("train", "xor", "--out", out, "--log-weights").is_refused(1, "--log-weights is for --log mlflow")
    assert parity("train", "xor", "--out", out, "--resume", "--log", "mlflow").is_refused(1, "leave out --log")
    assert list(tmp_path.iterdir()) == []


def test_another_log_than_the_two_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="log"):
        train_xor(tmp_path / "run", SETTINGS, log="wandb")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_parameters_are_flat_and_fit_what_mlflow_takes() -> None:
    vocabulary = [f"category {number}" for number in range(1000)]
    recipe = {
        "network": {"name": "MLP", "arguments": {"hidden": [64, 64]}, "preprocessing": {"tables": vocabulary}},
        "data": {"datetime": {"sold on": "%d/%m/%Y", "ä": None}, "sha256": "0f"},
        "training": {"class_weights": None, "scheduler_arguments": {}},
        "contract": {"name": "left out"},
    }
    found = recipe_parameters(recipe)
    tables = found.pop("network.preprocessing.tables")
    assert len(tables) == LONGEST_VALUE and tables.endswith("...")
    assert found == {
        "network.name": "MLP", "network.arguments.hidden": "[64, 64]", "training.class_weights": "null",
        "data.datetime": '{"sold on": "%d/%m/%Y", "ä": null}', "data.sha256": "0f",
        "training.scheduler_arguments": "{}",
    }  # fmt: skip


def test_an_address_is_shown_without_who_logs_in() -> None:
    assert shown_uri("https://ada:secret@host:5000/mlflow") == "https://host:5000/mlflow"
    assert shown_uri("postgresql://ada@host/db") == "postgresql://host/db"
    assert shown_uri("databricks") == "databricks"
    assert shown_uri("sqlite:///mlflow.db") == f"sqlite:///{Path.cwd()}/mlflow.db"
    assert repr(MLflowLog("points")) == "MLflowLog(experiment='points', weights=False)"
