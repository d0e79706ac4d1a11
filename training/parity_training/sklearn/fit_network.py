"""Training in memory: the same network and loop as a run's, and nothing on the disk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from parity_runtime import ModelContract
from parity_runtime.drift.profile import Profile
from parity_training.data.problem import Problem
from parity_training.data.training_profile import training_profile
from parity_training.fitting.finish import check_decisions, finish
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.prepare import NetworkChoice, make_recipe, prepare
from parity_training.fitting.seeded import explained, seeded
from parity_training.settings import TrainSettings


@dataclass(frozen=True)
class FittedNetwork:
    """A network that was trained, and how.

    Attributes:
        network: with its best weights, on the CPU, in eval mode.
        contract: what it takes and gives.
        seed: of its training.
        profile: what its training rows looked like; None where nobody knows.
        epochs: what each gave.
        decided: what was decided after the last epoch, as a run's evaluation.json has it: how training ended, the
            temperature, the threshold.
    """

    network: nn.Module
    contract: ModelContract
    seed: int
    profile: Profile | None
    epochs: tuple[EpochResult, ...]
    decided: dict[str, Any]


def fit_network(
    problem: Problem,
    choice: NetworkChoice,
    settings: TrainSettings,
    on_epoch: Callable[[EpochResult], None] = lambda _: None,
) -> FittedNetwork:
    """Train a network to its end.

    Args:
        problem: the rows and what they mean.
        choice: the network.
        settings: how it is trained.
        on_epoch: called after each epoch.

    Raises:
        InputError: a setting does not fit, or the loss is no longer finite.
    """
    epochs = []
    check_decisions(problem, settings, "validation_fraction")
    recipe = make_recipe(problem, choice, settings)
    with seeded(settings.seed):
        training = prepare(problem, recipe, choice.user_network, settings)
        for result in explained(training):
            epochs.append(result)
            on_epoch(result)
    done = finish(problem, training, settings, recipe.contract)
    network, profile = done.model.eval(), training_profile(problem)
    return FittedNetwork(network, done.contract, settings.seed, profile, tuple(epochs), done.decided)
