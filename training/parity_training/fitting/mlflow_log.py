"""``--log mlflow``: where MLflow keeps a training, asked before anything is trained."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from parity_runtime import FormatError, InputError, MissingExtraError
from parity_runtime.arguments import argument, check_choice
from parity_runtime.errors import first_line
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_json, read_json

MLFLOW = "mlflow.json"

_SQLITE = "sqlite:///"
_USER = re.compile(r"//[^/\s]*@")  # in front of a host: a name and a password
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
# MLflow would ask a server that is gone for a quarter of an hour.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}  # the latter in seconds


@dataclass(frozen=True, slots=True)
class MLflowLog:
    """How to log a training to MLflow. It is logged for TensorBoard as well.

    MLflow's own settings say where it logs: ``mlflow.set_tracking_uri`` or ``MLFLOW_TRACKING_URI``. Without them it
    logs to ``mlflow.db`` and ``mlruns`` in the current folder.

    >>> from parity_training import MLflowLog
    >>> MLflowLog(experiment="points")
    MLflowLog(experiment='points', weights=False)

    Attributes:
        experiment: the name of the experiment, which is made if it does not exist. None leaves it to MLflow:
            ``mlflow.set_experiment``, ``MLFLOW_EXPERIMENT_NAME``, ``MLFLOW_EXPERIMENT_ID``, else the experiment
            Default.
        weights: also keep the trained weights in MLflow, among the run's artifacts.
    """

    experiment: str | None = None
    weights: bool = False


Log = Literal["tensorboard", "mlflow"] | MLflowLog
"""Where a training is logged: ``tensorboard`` is written always."""


@dataclass(frozen=True, slots=True)
class Destination:
    """What a run remembers of its place in MLflow, in mlflow.json.

    Attributes:
        tracking_uri: of the store, without a password.
        experiment_id: of the experiment.
        weights: whether the weights go there as well.
        run_id: of the run; None until it has been made.
        experiment: the experiment's name, for a message.
    """

    tracking_uri: str
    experiment_id: str
    weights: bool
    run_id: str | None = None
    experiment: str = ""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the mlflow.json of a run.

        Raises:
            FormatError: it is not written as docs/reference/run-format.md says.
        """
        match read_json(folder / MLFLOW):
            case {"tracking_uri": str(uri), "experiment_id": str(experiment_id), "weights": bool(weights),
                  "run_id": str() | None as run_id}:  # fmt: skip
                return cls(uri, experiment_id, weights, run_id)
        raise FormatError(
            f"{folder / MLFLOW} is not written as docs/reference/run-format.md says; "
            "move it away to go on without MLflow"
        )

    def write(self, folder: Path) -> None:
        """Write the mlflow.json of a run."""
        kept = {name: value for name, value in asdict(self).items() if name != "experiment"}
        write_file(folder / MLFLOW, dump_json(kept))


def as_mlflow_log(log: Log) -> MLflowLog | None:
    """Return how a training is logged to MLflow; None where it is not.

    Raises:
        InputError: it names neither.
    """
    if isinstance(log, MLflowLog):
        return log
    check_choice("log", log, ("tensorboard", "mlflow"))
    return MLflowLog() if log == "mlflow" else None


def destination(log: MLflowLog) -> Destination:
    """Return where a training will be logged, after asking MLflow for it; the experiment is made if there is none.

    Raises:
        MissingExtraError: mlflow is not installed.
        InputError: its store cannot be reached, or has no such experiment.
    """
    mlflow = library()
    uri = str(mlflow.get_tracking_uri())
    try:
        with impatient():
            experiment = _experiment(mlflow.MlflowClient(uri), log.experiment)
    except Exception as error:  # MLflow's, of every kind
        raise InputError(
            f"MLflow at {shown_uri(uri)} cannot be used: {reason(error)}; start it, name another one in "
            f"MLFLOW_TRACKING_URI, or train without {argument('log', 'mlflow')}"
        ) from error
    return Destination(shown_uri(uri), experiment.experiment_id, log.weights, experiment=experiment.name)


def _experiment(client: Any, name: str | None) -> Any:
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if name is None:
        found = client.get_experiment(os.environ.get("MLFLOW_EXPERIMENT_ID", "0"))
    else:
        found = client.get_experiment_by_name(name) or client.get_experiment(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        raise ValueError(f"the experiment {found.name} was deleted there; restore it or choose another one")
    return found


def library() -> Any:
    """Return MLflow; what it would tell its makers is switched off first, unless somebody has decided about that.

    Raises:
        MissingExtraError: it is not installed.
    """
    if "mlflow" not in sys.modules:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: PLC0415 -- an extra, and two seconds
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{argument('log', 'mlflow')} needs MLflow 3, which is not installed; it needs pyarrow below 26, so make "
            'an environment without Parity\'s constraints: pip install ".[cpu,train,mlflow]"'
        ) from error
    return mlflow


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Let MLflow ask a server that does not answer twice at most, unless somebody has said how often."""
    ours = {name: value for name, value in _PATIENCE.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def shown_uri(uri: str) -> str:
    """Return a store's address without a password, and a SQLite file with its whole path."""
    if uri.startswith(_SQLITE):
        return _SQLITE + str(Path(uri.removeprefix(_SQLITE)).absolute())
    return _USER.sub("//", uri)


def reason(error: Exception) -> str:
    """Return what MLflow says of an error, in one line: it may name the address that it was given."""
    return _USER.sub("//", first_line(error)).rstrip(".")
