"""What a training needs before its first step: network, fitted preprocessing, loss, optimizer, batches."""

import copy
import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from parity_runtime import FormatError, InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.errors import first_line
from parity_runtime.feature import FEATURES, TIMESTAMPS
from parity_runtime.printable import counted
from parity_training.data.batches import EpochSampler, is_last_dropped, own_generator
from parity_training.data.encode_columns import year
from parity_training.data.problem import Problem
from parity_training.data.training_data import TrainingData, moments
from parity_training.fitting.distribute import distribute, own_device, shared_outputs
from parity_training.fitting.evaluation import inputs_of, outputs_of, predicted_of
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.objectives import POISSON_LOSS, LossFunction, Objective, make_objective
from parity_training.fitting.optimizers import make_optimizer, make_scheduler
from parity_training.fitting.preprocessing import preprocessing_of
from parity_training.fitting.process_group import ALONE, ProcessGroup, current_group
from parity_training.fitting.restarts import Restarts, check_restarts
from parity_training.fitting.restarts_loop import RestartsLoop
from parity_training.fitting.target_checks import has_validation, refuse_no_counts
from parity_training.networks.registry import NETWORKS, Network
from parity_training.networks.table_network import TableNetwork, body_inputs
from parity_training.recipe import Recipe
from parity_training.settings import TrainSettings

UNSEEN_YEARS = 2.0**20
"""What a year's distance is divided by where training saw one year alone, so that others say next to nothing: the body
has not learned what they mean. A power of two divides exactly."""


PROCESSES = "processes"
"""Of the training in a recipe: how many processes did it, where it was more than one."""


@dataclass(frozen=True)
class NetworkChoice:
    """Which network to train, and its arguments.

    >>> from parity_training import NetworkChoice, XORSettings, xor_data
    >>> NetworkChoice("MLP", {"hidden": [16, 16]}).for_data(xor_data(XORSettings(size=10)))
    {'num_inputs': 2, 'num_outputs': 1, 'hidden': [16, 16]}

    Attributes:
        name: a name in `parity_training.NETWORKS`; for your own network ``package.module:Callable``.
        arguments: the network's keyword arguments. ``num_inputs`` and ``num_outputs`` are added if the network has
            these parameters.
        user_network: for your own network: the callable that makes it.
    """

    name: str = "MLP"
    arguments: dict[str, Any] = field(default_factory=dict)
    user_network: Network | None = None

    def for_data(self, problem: Problem) -> dict[str, Any]:
        """Return the keyword arguments that make the network for the inputs and outputs of some training data.

        Args:
            problem: the training data.
        """
        builder = self.user_network or NETWORKS.get(self.name)
        try:
            taken: Collection[str] = inspect.signature(builder).parameters if builder else ()
        except ValueError:  # a class without a signature, such as dict
            taken = ()
        width = problem.width
        if problem.preprocessed:
            width = body_inputs(**preprocessing_of(problem))
        sizes = {"num_inputs": width, "num_outputs": problem.num_outputs}
        return {name: size for name, size in sizes.items() if name in taken} | self.arguments


def make_recipe(problem: Problem, choice: NetworkChoice, settings: TrainSettings) -> Recipe:
    """Return what a run keeps of a training: network, preprocessing, contract, rows, figures.

    Raises:
        InputError: the loss or the class weights do not fit the task.
    """
    objective = make_objective(settings, problem.contract.task, _class_counts(problem, settings))
    training = replace(settings, loss=objective.text).to_json()
    if (processes := current_group().size) > 1:
        training[PROCESSES] = processes
    return Recipe(
        choice.name,
        choice.for_data(problem),
        replace(problem.contract, objective=objective.predicted),
        problem.source,
        training,
        _preprocessing(problem, settings, objective),
        settings.restarts if settings.combine == "average" else 1,
    )


def _preprocessing(problem: Problem, settings: TrainSettings, objective: Objective) -> dict[str, Any] | None:
    """Return the arguments of the `TableNetwork`; None where the network takes rows as they are.

    Raises:
        InputError: a setting needs one.
    """
    is_poisson = objective.name == POISSON_LOSS
    if not problem.preprocessed:
        if settings.calibrate or is_poisson:
            said = argument("calibrate") if settings.calibrate else f"the loss {objective.name}"
            raise InputError(f"{said} is for a table, whose network Parity finishes; leave it out")
        return None
    if is_poisson:
        refuse_no_counts(problem)
    more = {"link": "log"} if is_poisson else {}
    return preprocessing_of(problem) | more | ({"calibrated": True} if settings.calibrate else {})


def prepare(problem: Problem, recipe: Recipe, user_network: Network | None, settings: TrainSettings) -> TrainingLoop:
    """Return the training of a recipe at its very beginning; the seed has just been set."""
    group = current_group()
    device = own_device(_device(settings.device), group)
    validates = has_validation(problem)
    check_restarts(settings, group.size, validates=validates)
    try:
        networks, kept = _networks(recipe, user_network, settings)
    except FormatError as error:
        raise InputError(str(error)) from error
    scale = _fit_preprocessing(networks, problem)
    _check_outputs(networks[0], problem)
    model = Restarts(networks, kept, settings.combine) if settings.restarts > 1 else networks[0]
    model.to(device)
    objective = make_objective(
        settings, problem.contract.task, _class_counts(problem, settings), scale, problem.mean_weight()
    )
    optimizer = make_optimizer(model, settings)
    loss_function = objective.loss_function(device)
    loop: Callable[..., TrainingLoop] = RestartsLoop if isinstance(model, Restarts) else TrainingLoop
    training = loop(
        model,
        _loader(problem, objective, settings),
        optimizer,
        loss_function,
        settings.epochs,
        make_scheduler(optimizer, settings),
        clip_norm=settings.clip_norm,
        repeats=settings.optimizer == "LBFGS",
        patience=settings.patience,
        validate=_validation(problem, model, objective, loss_function, ALONE if user_network else group)
        if validates
        else None,
        objective=objective,
    )
    if group.size == 1:
        return training
    return distribute(training, group, settings, objective.row_weights, own=user_network is None)


def _networks(
    recipe: Recipe, user_network: Network | None, settings: TrainSettings
) -> tuple[list[nn.Module], nn.Module]:
    """Return the networks that are trained, and a module of the kind that is kept of them."""
    networks = [replace(recipe, members=1).build(user_network) for _ in range(settings.restarts)]
    return networks, recipe.build(user_network) if settings.restarts > 1 else networks[0]


def shapes_in_training(recipe: Recipe, settings: TrainSettings) -> nn.Module:
    """Return what is trained on the device ``meta``: shapes without elements, which take no memory.

    Raises:
        FormatError: the network is unknown, or does not take its arguments.
    """
    alone, kept = replace(recipe, members=1).shapes(), recipe.shapes()
    if settings.restarts == 1:
        return kept
    with torch.device("meta"):
        return Restarts([copy.deepcopy(alone) for _ in range(settings.restarts)], kept, settings.combine)


def _class_counts(problem: Problem, settings: TrainSettings) -> NDArray[np.int64]:
    """Return the training rows of each class where they weigh; counting them is a pass over all rows."""
    return np.zeros(0, np.int64) if settings.class_weights is None else problem.class_counts()


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(f"CUDA was chosen, but torch finds none; use {argument('device', 'cpu')}")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device {name!r}; known are auto, cpu, cuda") from error


def _fit_preprocessing(networks: Sequence[nn.Module], problem: Problem) -> Tensor | None:
    """Fit a table's preprocessing on the training rows; return the targets' standard deviations, None for classes."""
    tables = [network for network in networks if isinstance(network, TableNetwork)]
    if not tables:
        return None
    mean, scale = moments((piece[0] for piece in problem.pieces("train")), problem.width)
    scale[_constant_years(problem.contract)] = UNSEEN_YEARS
    if problem.contract.task != "regression":
        for table in tables:
            table.fit(mean, scale)
        return None
    width = problem.num_outputs
    target_mean, target_scale = moments((piece[-1].reshape(-1, width) for piece in problem.pieces("train")), width)
    for table in tables:
        table.fit(mean, scale, target_mean, target_scale)
    return target_scale.float()


def _constant_years(contract: ModelContract) -> list[int]:
    """Return the columns of the years in all of which training saw one alone; the years stand behind the numbers."""
    dates = contract.features_of(TIMESTAMPS)
    first = len(contract.features_of(FEATURES))
    ends = [np.array([date.low or 0, date.high or 0]).astype(np.int64) for date in dates]
    return [first + place for place, seconds in enumerate(ends) if len(set(year(seconds).tolist())) == 1]


def _check_outputs(model: nn.Module, problem: Problem) -> None:
    """Ask the network for two rows before it is trained for hours."""
    rows = min(problem.num_rows("train"), 2)
    try:
        shape = list(outputs_of(model, inputs_of(problem, "train", last=2)).shape)
    except Exception as error:  # the user's own code
        taken = problem.contract.inputs[0]
        if isinstance(model, TableNetwork):
            taken = TensorSpec(FEATURES, "float32", ("batch", body_inputs(**preprocessing_of(problem))))
        raise InputError(f"the network does not take {taken}: {first_line(error)}") from error
    if shape != [rows, problem.num_outputs]:
        raise InputError(
            f"the network returns {shape} for {counted(rows, 'row')}; it must return [rows, {problem.num_outputs}]"
        )


def _loader(problem: Problem, objective: Objective, settings: TrainSettings) -> Any:
    """Return the training batches: a `BatchLoader`, or torch's DataLoader, which has what is asked of one."""
    if not settings.num_workers:
        return problem.loader(objective.prepare, settings.batch_size, settings.seed)
    if not isinstance(problem, TrainingData):
        raise InputError(f"{argument('num_workers')} takes rows from memory, and these are on a disk; leave it out")
    part, target = problem.part("train"), objective.prepare(problem.target, problem.row_weights)
    return DataLoader(
        Subset(TensorDataset(*problem.inputs, target), part.tolist()),
        settings.batch_size,
        sampler=EpochSampler(len(part), shuffle=True, seed=settings.seed),
        num_workers=settings.num_workers,
        drop_last=is_last_dropped(len(part), settings.batch_size),
        generator=own_generator(settings.seed),
    )


def _validation(
    problem: Problem,
    model: nn.Module,
    objective: Objective,
    loss_function: LossFunction,
    group: ProcessGroup,
) -> Callable[[], tuple[float, dict[str, float]]]:
    """Return what measures the validation rows; a group shares them where its processes have the same buffers."""
    found = problem.targets("validation")
    target, true = objective.prepare(found, problem.weights("validation")), found.numpy()
    contract = problem.contract

    def loss_of(outputs: Tensor) -> float:
        device = next(model.parameters()).device
        return float(loss_function(outputs.to(device), target.to(device)))

    @torch.no_grad()
    def validate() -> tuple[float, dict[str, float]]:
        outputs = shared_outputs(group, model, problem, "validation")
        if isinstance(model, Restarts):
            outputs = model.kept_outputs(outputs, loss_of)
        loss = loss_of(outputs)
        if contract.task == "regression":
            errors = outputs.double() - found.reshape(outputs.shape)  # in float32 squares overflow beyond 1e19
            return loss, {"rmse": float(errors.square().mean().sqrt())}
        return loss, {"accuracy": float((predicted_of(outputs, contract.logit_threshold) == true).mean())}

    return validate
