"""Cross-validation: the same training once for each fold of the rows, which says how sure its figures are."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from parity_runtime import FormatError, InputError
from parity_runtime.arguments import argument
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_json, read_json
from parity_training.data.problem import PARTS, Problem
from parity_training.fitting.evaluation import inputs_of, metrics_of, outputs_of
from parity_training.fitting.finish import check_decisions, finish
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.objectives import POISSON_LOSS, parse_loss
from parity_training.fitting.prepare import NetworkChoice, make_recipe, prepare
from parity_training.fitting.seeded import explained
from parity_training.fitting.stop_signals import StopRequest
from parity_training.fitting.target_checks import refuse_no_counts, refuse_no_weights
from parity_training.networks.registry import Network
from parity_training.recipe import Recipe
from parity_training.settings import TrainSettings

FOLDS = "folds.json"
"""The figures of the folds that are done, in the folder of an unfinished run."""

_SIZES = ("num_inputs", "num_outputs")  # of a network, which a fold's own rows decide


class CrossValidation:
    """The folds of a run.

    Args:
        problem: all rows.
        recipe: of the run.
        settings: its training's.
        user_network: the callable of a network that is none of Parity's.
    """

    def __init__(self, problem: Problem, recipe: Recipe, settings: TrainSettings, user_network: Network | None) -> None:
        self._problem, self._settings, self._user_network = problem, replace(settings, folds=None), user_network
        self._count = settings.folds or 0
        arguments = {name: value for name, value in recipe.arguments.items() if name not in _SIZES}
        self._choice = NetworkChoice(recipe.network, arguments, user_network)

    def run(self, folder: Path, stop: StopRequest, on_epoch: Callable[[EpochResult], None]) -> dict[str, Any] | None:
        """Train what is left of the folds, and return the mean and the spread of each metric.

        Args:
            folder: of the run: what each fold gives is kept there, so that a stopped run goes on with the next.
            stop: whether somebody asked to stop.
            on_epoch: called after each epoch.

        Returns:
            ``count``, ``rows`` of each fold, and ``metrics``: of each its ``mean``, its standard deviation ``std`` over
            the folds (divided by their number less one), and its ``values``; None where somebody asked to stop.
        """
        path = folder / FOLDS
        done = read_folds(path, self._count) if path.is_file() else []
        for number, fold in enumerate(self._problem.folds(self._count, self._settings.seed), 1):
            if number <= len(done):
                continue
            metrics = self._fold(fold, stop, functools.partial(_in_fold, on_epoch, number))
            if metrics is None:
                return None
            done.append(metrics)
            write_file(path, dump_json({"folds": done}))
        return _summary(done)

    def _fold(
        self, problem: Problem, stop: StopRequest, on_epoch: Callable[[EpochResult], None]
    ) -> dict[str, Any] | None:
        settings = self._settings
        torch.manual_seed(settings.seed)  # whichever folds were trained before, in this process or in another
        recipe = make_recipe(problem, self._choice, settings)
        training = prepare(problem, recipe, self._user_network, settings)
        training.stop = stop
        for result in explained(training):
            on_epoch(result)
        if stop.signal_number:
            return None
        found = finish(problem, training, settings, recipe.contract)
        outputs = outputs_of(found.model, inputs_of(problem, "test"))
        metrics = metrics_of(problem, outputs, "test", contract=found.contract)
        return {name: value for name, value in metrics.items() if name == "rows" or isinstance(value, float)}


def _in_fold(on_epoch: Callable[[EpochResult], None], number: int, result: EpochResult) -> None:
    on_epoch(replace(result, fold=number))


def check_folds(problem: Problem, settings: TrainSettings, processes: int) -> None:
    """Refuse folds that the rows do not give, before anything is trained.

    Raises:
        InputError: says why.
    """
    if settings.folds is None:
        return
    if processes > 1:
        raise InputError(f"{argument('folds')} takes one process; leave out {argument('processes')}")
    for number, fold in enumerate(problem.folds(settings.folds, settings.seed, fitted=False), 1):
        try:
            _check_fold(fold, settings, validates=problem.num_rows("validation") > 0)
        except InputError as error:
            raise InputError(f"{argument('folds', settings.folds)}: in fold {number} {error}") from error


def _check_fold(fold: Problem, settings: TrainSettings, *, validates: bool) -> None:
    for part in PARTS if validates else ("train", "test"):
        if not fold.num_rows(part):
            raise InputError(f"the part {part} has no rows; give fewer folds, or more rows")
    check_decisions(fold, settings)
    refuse_no_weights(fold)
    if parse_loss(settings.loss, fold.contract.task)[0] == POISSON_LOSS:
        refuse_no_counts(fold)


def read_folds(path: Path, most: int) -> list[dict[str, Any]]:
    """Return the figures of the folds that are done.

    Raises:
        FormatError: the file holds something else.
    """
    found = read_json(path).get("folds")
    if not isinstance(found, list) or len(found) > most or not all(_is_fold(fold) for fold in found):
        raise FormatError(f"{path} holds no figures of {most} folds at most; without it they are computed again")
    return found


def _is_fold(fold: Any) -> bool:
    if not isinstance(fold, dict) or type(fold.get("rows")) is not int:
        return False
    return all(isinstance(value, float) and math.isfinite(value) for name, value in fold.items() if name != "rows")


def _summary(folds: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in folds[0] if name != "rows" and all(name in fold for fold in folds)]
    values = {name: [float(fold[name]) for fold in folds] for name in names}
    metrics = {
        name: {"mean": float(np.mean(found)), "std": float(np.std(found, ddof=1)), "values": found}
        for name, found in values.items()
    }
    return {"count": len(folds), "rows": [fold["rows"] for fold in folds], "metrics": metrics}
