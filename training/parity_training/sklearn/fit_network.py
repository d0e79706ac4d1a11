"""Training in memory: the same network and loop as a run's, and nothing on the disk."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from parity_runtime import ModelContract
from parity_runtime.drift.profile import Profile
from parity_training.data.problem import Problem
from parity_training.data.training_profile import training_profile
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
        best_epoch: whose weights it has, from 1.
    """

    network: nn.Module
    contract: ModelContract
    seed: int
    profile: Profile | None
    epochs: tuple[EpochResult, ...]
    best_epoch: int


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
    with seeded(settings.seed):
        training = prepare(problem, make_recipe(problem, choice, settings), choice.user_network, settings)
        for result in explained(training):
            epochs.append(result)
            on_epoch(result)
    training.model.load_state_dict(training.progress.best_weights)
    network, profile = training.model.cpu().eval(), training_profile(problem)
    best_epoch = training.progress.best_epoch
    return FittedNetwork(network, problem.contract, settings.seed, profile, tuple(epochs), best_epoch)
