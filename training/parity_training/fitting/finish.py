"""What follows the last epoch: the best weights, and what is decided on the validation rows."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from parity_runtime import InputError, ModelContract
from parity_runtime.arguments import argument
from parity_runtime.contract import binary_logit_threshold
from parity_training.data.problem import Problem
from parity_training.fitting.calibration import best_temperature
from parity_training.fitting.decision_threshold import Goal
from parity_training.fitting.evaluation import inputs_of, outputs_of
from parity_training.fitting.loop import TrainingLoop
from parity_training.networks.table_network import TableNetwork, Temperature
from parity_training.settings import TrainSettings


@dataclass(frozen=True)
class Finished:
    """A trained network.

    Attributes:
        model: with its best weights, on the CPU.
        contract: with the threshold that was chosen.
        decided: what is said of it: how training ended; the temperature and the threshold, where they were chosen.
    """

    model: nn.Module
    contract: ModelContract
    decided: dict[str, Any]


def finish(problem: Problem, training: TrainingLoop, settings: TrainSettings, contract: ModelContract) -> Finished:
    """Take the best weights, and choose temperature and threshold on the validation rows, as the settings ask for.

    Args:
        problem: the rows.
        training: has ended.
        settings: of the training.
        contract: of the network, with the threshold that counts unless one is chosen.
    """
    model, progress = training.finished_network(), training.progress
    by = "epochs" if progress.epoch >= training.num_epochs else "patience"
    best = progress.best_epoch if problem.num_rows("validation") else None
    decided: dict[str, Any] = {"ended": {"epochs": progress.epoch, "best_epoch": best, "by": by}}
    if settings.calibrate:
        decided["temperature"] = _calibrate(model, problem)
    if settings.threshold_for is not None:
        threshold = _threshold(model, problem, Goal.parse(settings.threshold_for))
        value, decided["threshold"] = threshold["value"], threshold
        contract = replace(contract, threshold=value, logit_threshold=binary_logit_threshold(value))
    return Finished(model, contract, decided)


def check_decisions(problem: Problem, settings: TrainSettings, validation: str | None = None) -> None:
    """Refuse, before anything is trained, what cannot be decided afterwards.

    Args:
        problem: the rows.
        settings: of the training.
        validation: how the caller names the share of the validation rows, where that is no argument ``validation``.

    Raises:
        InputError: says which setting.
    """
    contract, share = problem.contract, validation or argument("validation")
    if settings.calibrate and not contract.is_classifier:
        raise InputError(f"{argument('calibrate')} is for classes; {contract.targets[0]} is a regression")
    if settings.threshold_for is not None:
        said = argument("threshold_for")
        Goal.parse(settings.threshold_for)
        if contract.task != "binary":
            raise InputError(f"{said} is for two classes; {contract.targets[0]} is a {contract.task} target")
        if contract.threshold != 0.5:
            raise InputError(f"{said} chooses the threshold that {argument('threshold')} gives; leave out one of them")
        if len(set(problem.targets("validation").tolist())) == 1:
            raise InputError(f"{said} needs validation rows of both classes; give more rows, or a larger "
                             + share)  # fmt: skip
    for name, asked in (("calibrate", settings.calibrate), ("threshold_for", settings.threshold_for)):
        if asked and not problem.num_rows("validation"):
            raise InputError(f"{argument(name)} needs validation rows; give {share} above 0")


@torch.no_grad()
def _calibrate(model: nn.Module, problem: Problem) -> float:
    assert isinstance(model, TableNetwork)  # noqa: S101 -- `make_recipe` refuses others
    assert isinstance(model.target, Temperature)  # noqa: S101
    model.target.inverse.fill_(1.0)  # a resumed training may have been here before
    logits = outputs_of(model, inputs_of(problem, "validation"))
    temperature = best_temperature(logits, problem.targets("validation"))
    model.target.inverse.fill_(1 / temperature)
    return temperature


def _threshold(model: nn.Module, problem: Problem, goal: Goal) -> dict[str, Any]:
    logits = outputs_of(model, inputs_of(problem, "validation"))[:, 0].numpy()
    found = goal.best(problem.targets("validation").numpy() == 1, logits)
    if not found["reached"]:
        rows = problem.num_rows("validation")
        warnings.warn(
            f"no threshold reaches {goal.text} on the {rows} validation rows; the nearest is taken, with "
            f"{goal.name} {found[goal.name]:.4g}",
            stacklevel=2,
        )
    return found
