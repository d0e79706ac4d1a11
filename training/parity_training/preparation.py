"""What a training needs before its first step: network, fitted preprocessing, loss, optimizer, batches."""

import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from parity_runtime import FormatError, InputError
from parity_runtime.errors import first_line
from parity_training.batches import EpochSampler, TensorLoader, own_generator
from parity_training.evaluation import outputs_of, predicted_of
from parity_training.loop import Training
from parity_training.networks import NETWORKS, Network
from parity_training.objectives import LossFunction, Objective, make_objective
from parity_training.optimizers import make_optimizer, make_scheduler
from parity_training.preprocessing import TableNetwork
from parity_training.problem import Problem, moments
from parity_training.run import Recipe
from parity_training.settings import TrainSettings


@dataclass(frozen=True)
class NetworkChoice:
    """Which network is trained.

    Attributes:
        name: one of `parity_training.networks.NETWORKS`; of a foreign one ``package.module:Callable``.
        arguments: keyword arguments; num_inputs and num_outputs are added where the network takes them.
        foreign: the callable, where it is none of Parity's.
    """

    name: str = "MLP"
    arguments: dict[str, Any] = field(default_factory=dict)
    foreign: Network | None = None

    def for_problem(self, problem: Problem) -> dict[str, Any]:
        """Return the arguments for a problem's columns and outputs."""
        builder = self.foreign or NETWORKS.get(self.name)
        try:
            taken: Collection[str] = inspect.signature(builder).parameters if builder else ()
        except ValueError:  # a class without a signature, such as dict
            taken = ()
        sizes = {"num_inputs": problem.data.shape[1], "num_outputs": problem.num_outputs}
        return {name: size for name, size in sizes.items() if name in taken} | self.arguments


def make_recipe(problem: Problem, choice: NetworkChoice, settings: TrainSettings) -> Recipe:
    """Return what a run keeps of a training: network, preprocessing, contract, rows, figures.

    Raises:
        InputError: the loss or the class weights do not fit the task.
    """
    objective = make_objective(settings, problem.contract.task, _train_target(problem), len(problem.contract.classes))
    preprocessing = None
    if problem.preprocessed:
        preprocessing = {
            "num_features": problem.data.shape[1],
            "impute": any(feature.missing == "impute" for feature in problem.contract.features),
            "num_targets": 1 if problem.contract.task == "regression" else 0,
        }
    training = replace(settings, loss=objective.name).to_json()
    return Recipe(choice.name, choice.for_problem(problem), problem.contract, problem.source, training, preprocessing)


def prepare(problem: Problem, recipe: Recipe, foreign: Network | None, settings: TrainSettings) -> Training:
    """Return the training of a recipe at its very beginning; the seed has just been set."""
    device = _device(settings.device)
    try:
        model = recipe.build(foreign)
    except FormatError as error:
        raise InputError(str(error)) from error
    scale = _fit_preprocessing(model, problem)
    _check_outputs(model, problem)
    model.to(device)
    classes = len(problem.contract.classes)
    objective = make_objective(settings, problem.contract.task, _train_target(problem), classes, scale)
    optimizer = make_optimizer(model, settings)
    loss_function = objective.loss_function(device)
    return Training(
        model,
        _loader(problem, objective, settings),
        optimizer,
        loss_function,
        settings.epochs,
        make_scheduler(optimizer, settings),
        clip_norm=settings.clip_norm,
        repeats=settings.optimizer == "LBFGS",
        patience=settings.patience,
        validate=_validation(problem, model, objective, loss_function) if len(problem.split.validation) else None,
    )


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("CUDA was asked for and torch finds none; use --device cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r}; known are auto, cpu, cuda") from error


def _train_target(problem: Problem) -> Tensor:
    return problem.target[problem.part("train")]


def _fit_preprocessing(model: nn.Module, problem: Problem) -> float:
    """Fit a table's preprocessing on the training rows; return the target's standard deviation (1 for classes)."""
    if not isinstance(model, TableNetwork):
        return 1.0
    rows = problem.part("train")
    mean, scale = moments(problem.data, rows)
    if problem.contract.task != "regression":
        model.fit(mean, scale)
        return 1.0
    target_mean, target_scale = moments(problem.target[:, None], rows)
    model.fit(mean, scale, float(target_mean), float(target_scale))
    return float(target_scale)


def _check_outputs(model: nn.Module, problem: Problem) -> None:
    """Ask the network for two rows before it is trained for hours."""
    rows = problem.part("train")[:2]
    try:
        shape = list(outputs_of(model, problem.data, rows).shape)
    except Exception as error:  # the user's own code
        raise InputError(f"the network does not take {problem.contract.inputs[0]}: {first_line(error)}") from error
    if shape != [len(rows), problem.num_outputs]:
        raise InputError(
            f"the network returns {shape} for {len(rows)} rows; it must return [rows, {problem.num_outputs}]"
        )


def _loader(problem: Problem, objective: Objective, settings: TrainSettings) -> Any:
    """Return the training batches. A last batch of a single row is left out: batch normalization cannot take it."""
    part, target = problem.part("train"), objective.prepare(problem.target)
    sampler = EpochSampler(len(part), shuffle=True, seed=settings.seed)
    drop_last = len(part) > settings.batch_size and len(part) % settings.batch_size == 1
    if not settings.num_workers:
        return TensorLoader(problem.data, target, sampler, settings.batch_size, drop_last=drop_last, part=part)
    return DataLoader(
        Subset(TensorDataset(problem.data, target), part.tolist()),
        settings.batch_size,
        sampler=sampler,
        num_workers=settings.num_workers,
        drop_last=drop_last,
        generator=own_generator(settings.seed),
    )


def _validation(
    problem: Problem, model: nn.Module, objective: Objective, loss_function: LossFunction
) -> Callable[[], tuple[float, dict[str, float]]]:
    rows = problem.part("validation")
    target = objective.prepare(problem.target[rows])
    true = problem.target[rows].numpy()
    contract = problem.contract

    @torch.no_grad()
    def validate() -> tuple[float, dict[str, float]]:
        outputs = outputs_of(model, problem.data, rows)
        device = next(model.parameters()).device
        loss = float(loss_function(outputs.to(device), target.to(device)))
        if contract.task == "regression":
            return loss, {"rmse": float((outputs[:, 0] - target).square().mean().sqrt())}
        return loss, {"accuracy": float((predicted_of(outputs, contract.logit_threshold) == true).mean())}

    return validate
