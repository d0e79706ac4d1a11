"""A training's run in MLflow: it follows metrics.jsonl, and never stands in the training's way."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.files.json_file import read_json
from parity_training.fitting.mlflow_log import MLFLOW, Destination, impatient, library, reason, shown_uri
from parity_training.fitting.process_group import LostProcessError
from parity_training.fitting.recipe_parameters import recipe_parameters
from parity_training.fitting.stop_signals import StoppedError
from parity_training.run import EVALUATION, PLOTS, RECIPE, STATE_DICT, UNFINISHED

_AT_ONCE = 100  # epochs of one request, which may hold 1,000 metrics; or parameters, of which it may hold 100
_PAUSE, _SHARE = 60.0, 20  # after a failure: at least so many seconds, and so many times what it took
_FIGURES = ("loss", "validation_loss", "accuracy", "rmse")  # of an epoch

Epoch = dict[str, Any]
"""A line of metrics.jsonl."""


class MLflowRun:
    """What is logged of one training; nothing here raises for MLflow's sake.

    What MLflow does not take, because its server is away, is kept and offered again a minute later, and at the end.

    Args:
        folder: of the run, with its recipe and its mlflow.json.

    Raises:
        FormatError: mlflow.json is not written as docs/reference/run-format.md says.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._place = folder, Destination.read(folder)
        self._client: Any = None
        self._pending: list[tuple[Epoch, int]] = []  # with the milliseconds since 1970 when it ended
        self._logged: dict[str, int] = {}  # figures, with the last epoch that MLflow has of each
        self._not_before = 0.0
        self._warned: set[str] = set()

    def write(self, epoch: Epoch) -> None:
        """Keep an epoch for the next `flush`."""
        self._pending.append((epoch, time.time_ns() // 10**6))

    def flush(self) -> None:
        """Log the epochs that MLflow has not yet."""
        if time.monotonic() >= self._not_before:
            self._attempt(self._send, "the training continues, and tries again later")

    def end(self, status: str) -> None:
        """Log what is left, and say how the training ended: ``FINISHED``, ``FAILED`` or ``KILLED``."""
        self._attempt(lambda: self._end(status), "its run in MLflow is incomplete; the run on disk is complete")

    def _attempt(self, action: Callable[[], None], otherwise: str) -> None:
        begun = time.monotonic()
        try:
            with impatient():
                action()
        except Exception as error:  # MLflow's, of every kind
            now = time.monotonic()
            self._not_before = now + max(_PAUSE, _SHARE * (now - begun))
            if otherwise not in self._warned:
                self._warned.add(otherwise)
                warnings.warn(f"MLflow does not accept the log: {reason(error)}; {otherwise}", stacklevel=4)

    def _send(self) -> None:
        if self._client is None:
            self._open()
        from mlflow.entities import Metric  # noqa: PLC0415 -- an extra

        while self._pending:
            metrics = [
                Metric(name, epoch[name], milliseconds, epoch["epoch"])
                for epoch, milliseconds in self._pending[:_AT_ONCE]
                for name in _FIGURES
                if epoch.get(name) is not None and epoch["epoch"] > self._logged.get(name, 0)
            ]
            if metrics:
                self._client.log_batch(self._place.run_id, metrics=metrics)
            del self._pending[:_AT_ONCE]

    def _open(self) -> None:
        """Make the run, or go on with it."""
        client = library().MlflowClient(self._address())
        if self._place.run_id is None:
            name = self._folder.absolute().name.removesuffix(UNFINISHED)
            run_id = client.create_run(self._place.experiment_id, run_name=name).info.run_id
            self._place = Destination(self._place.tracking_uri, self._place.experiment_id, self._place.weights, run_id)
            self._place.write(self._folder)
        else:
            run_id = self._place.run_id
            client.update_run(run_id, status="RUNNING")
            histories = {name: client.get_metric_history(run_id, name) for name in _FIGURES}
            self._logged = {name: max((one.step for one in found), default=0) for name, found in histories.items()}
        self._log_parameters(client, run_id)
        self._client = client

    def _log_parameters(self, client: Any, run_id: str) -> None:
        from mlflow.entities import Param  # noqa: PLC0415 -- an extra

        recipe = recipe_parameters(read_json(self._folder / RECIPE))
        params = [Param(name, value) for name, value in recipe.items()]
        for start in range(0, len(params), _AT_ONCE):
            client.log_batch(run_id, params=params[start : start + _AT_ONCE])

    def _address(self) -> str:
        """Return the address of the store: a run's folder may be a stranger's, and chooses none."""
        mlflow = library()
        uri, recorded = str(mlflow.get_tracking_uri()), self._place.tracking_uri
        if shown_uri(uri) != recorded and not mlflow.is_tracking_uri_set():
            raise InputError(f"this run is logged at {recorded}; set MLFLOW_TRACKING_URI to go on there")
        return uri

    def _end(self, status: str) -> None:
        self._send()
        if status == "FINISHED":
            self._log_evaluation()
        self._client.set_terminated(self._place.run_id, status)
        for file in (RECIPE, EVALUATION, *PLOTS, *[STATE_DICT] * self._place.weights):  # they may have another server
            if (self._folder / file).is_file():
                self._client.log_artifact(self._place.run_id, str(self._folder / file))

    def _log_evaluation(self) -> None:
        """Log the figures of the evaluation that a killed process had not."""
        run_id = self._place.run_id
        evaluation = read_json(self._folder / EVALUATION)
        there = self._client.get_run(run_id).data.metrics
        for name, value in evaluation.items():
            figure = f"{evaluation['part']}/{name}"
            if type(value) in (int, float) and figure not in there:
                self._client.log_metric(run_id, figure, value)


@contextlib.contextmanager
def mlflow_run(folder: Path) -> Iterator[MLflowRun | None]:
    """Log to MLflow while the block runs, and say there how it ended; None for a run that has no mlflow.json.

    Raises:
        FormatError: mlflow.json is not written as docs/reference/run-format.md says.
    """
    if not (folder / MLFLOW).is_file():
        yield None
        return
    run = MLflowRun(folder)
    try:
        yield run
    except Exception as error:
        run.end("KILLED" if isinstance(error, StoppedError | LostProcessError) else "FAILED")
        raise
    except BaseException:  # a signal
        run.end("KILLED")
        raise
    run.end("FINISHED")
