"""From a problem to a run: the notebook's life-cycle, resumable at any moment."""

import contextlib
import inspect
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from parity_runtime import FormatError, InputError, ParityError
from parity_runtime.files import atomic_write, refuse_existing
from parity_runtime.table import write_csv
from parity_training.batches import EpochSampler, TensorLoader, own_generator
from parity_training.checkpoint import Checkpoints, restore
from parity_training.evaluation import metrics_of, outputs_of, predicted_of
from parity_training.log import METRICS, TENSORBOARD, open_log
from parity_training.loop import EpochResult, Training
from parity_training.networks import Network
from parity_training.objectives import LossFunction, Objective, make_objective
from parity_training.optimizers import make_optimizer, make_scheduler
from parity_training.preprocessing import TableNetwork
from parity_training.problem import Problem, moments
from parity_training.run import CHECKPOINT, EVALUATION, PICTURES, RECIPE, STATE_DICT, TEST_TABLE, Recipe, Run
from parity_training.settings import TrainSettings
from parity_training.stopping import StoppedError, StopRequest, stop_requests
from parity_training.weights import save_object
from parity_training.xor import XORSettings, xor_problem

OnEpoch = Callable[[EpochResult], None]


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
        from parity_training.networks import NETWORKS  # noqa: PLC0415

        builder = self.foreign or NETWORKS.get(self.name)
        try:
            taken: Collection[str] = inspect.signature(builder).parameters if builder else ()
        except ValueError:  # a class without a signature, such as dict
            taken = ()
        sizes = {"num_inputs": problem.data.shape[1], "num_outputs": problem.num_outputs}
        return {name: size for name, size in sizes.items() if name in taken} | self.arguments


def train_xor(
    out: str | Path, settings: XORSettings | None = None, *, replace: bool = False, on_epoch: OnEpoch = lambda _: None
) -> Run:
    """Train the notebook's network on the continuous XOR problem and write a run.

    Args:
        out: the run folder to make.
        settings: the notebook's figures by default.
        replace: remove a run that stands there already.
        on_epoch: called after each epoch, for a progress bar.

    Raises:
        InputError: the folder exists, or a setting is out of range.
    """
    settings = settings or XORSettings()
    choice = NetworkChoice("XORClassifier", {"num_hidden": settings.hidden})
    return train_problem(
        xor_problem(settings), choice, settings.training(), out, replace_existing=replace, on_epoch=on_epoch
    )


def train_problem(
    problem: Problem,
    choice: NetworkChoice,
    settings: TrainSettings,
    out: str | Path,
    *,
    replace_existing: bool = False,
    on_epoch: OnEpoch = lambda _: None,
) -> Run:
    """Train a network on a problem and write a run.

    Args:
        problem: the rows and what they mean.
        choice: the network.
        settings: how it is trained.
        out: the run folder to make.
        replace_existing: remove a run that stands there already.
        on_epoch: called after each epoch.

    Raises:
        InputError: the folder exists, a setting does not fit, or the loss is no longer finite.
        StoppedError: SIGTERM or Ctrl-C came; the run can be resumed.
    """
    recipe = _recipe(problem, choice, settings)
    with _seeded(settings.seed):
        training = _prepare(problem, recipe, choice.foreign, settings)  # refuses before anything is written
        run = Run(_fresh_folder(Path(out), replace=replace_existing), recipe)
        run.write_json(RECIPE, recipe.to_json())
        _write_test_rows(run.path / TEST_TABLE, problem)
        Checkpoints(run.path / CHECKPOINT, training).save()
        try:
            return _finish(run, problem, training, on_epoch)
        except InputError:
            if training.progress.epoch == 0:  # it never ran: there is nothing to keep or to resume
                shutil.rmtree(run.path)
            raise


def resume(
    out: str | Path, problem: Problem, foreign: Network | None = None, on_epoch: OnEpoch = lambda _: None
) -> Run:
    """Continue a run that was stopped or killed, and write what an uninterrupted one would have written.

    Args:
        out: the run folder.
        problem: the same rows.
        foreign: the network's callable, where it is none of Parity's.
        on_epoch: called after each epoch that is still to come.

    Raises:
        InputError: there is no run, it has finished, or the rows are not its own.
        StoppedError: SIGTERM or Ctrl-C came again.
    """
    run = Run.open(out)
    if (run.path / STATE_DICT).is_file():
        raise InputError(f"{run.path} has finished; there is nothing to resume")
    if run.recipe.data != problem.source:
        raise InputError(f"{run.path} was trained on other rows; resume it with the same data")
    for torn in run.path.glob(".*.partial"):  # of a process that was killed while it wrote
        torn.unlink()
    settings = TrainSettings.from_json(run.recipe.training, str(run.path / RECIPE))
    with _seeded(settings.seed):
        training = _prepare(problem, run.recipe, foreign, settings)
        restore(run.path / CHECKPOINT, training)
        if not (run.path / TEST_TABLE).is_file():
            _write_test_rows(run.path / TEST_TABLE, problem)
        return _finish(run, problem, training, on_epoch)


def _recipe(problem: Problem, choice: NetworkChoice, settings: TrainSettings) -> Recipe:
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


def _prepare(problem: Problem, recipe: Recipe, foreign: Network | None, settings: TrainSettings) -> Training:
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


def _finish(run: Run, problem: Problem, training: Training, on_epoch: OnEpoch) -> Run:
    """Train to the end, or to the next signal, and write what a finished run holds."""
    checkpoints = Checkpoints(run.path / CHECKPOINT, training)
    with stop_requests() as training.stop, open_log(run.path, training.progress.epoch) as log:
        for result in _explained(training):
            log.write(result)
            on_epoch(result)
            if checkpoints.due():
                log.flush()
                checkpoints.save()
        log.flush()
        checkpoints.save()
        _refuse_stopped(run, training.stop, training)
    training.model.load_state_dict(training.progress.best_weights)
    model = training.model.cpu()
    part = _evaluated_part(problem)
    rows = problem.part(part)
    metrics = metrics_of(problem, outputs_of(model, problem.data, rows), rows)
    run.write_json(EVALUATION, {"part": part} | metrics)
    save_object(dict(model.state_dict()), run.path / STATE_DICT)  # the last file: a run that has it has finished
    return run


def _explained(training: Training) -> Iterator[EpochResult]:
    """Train, and turn what torch or somebody's own network raises into one sentence."""
    try:
        yield from training.epochs()
    except (ParityError, OSError):
        raise
    except Exception as error:  # torch's, of every kind
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"training failed in epoch {training.progress.epoch + 1}: {reason}") from error


def _evaluated_part(problem: Problem) -> str:
    """Return the part that is evaluated at the end: rows that were neither trained nor decided on, if there are any."""
    return next(name for name in ("test", "validation", "train") if len(problem.part(name)))


def _refuse_stopped(run: Run, stop: StopRequest, training: Training) -> None:
    if stop.signal_number:
        progress = training.progress
        raise StoppedError(
            f"stopped in epoch {progress.epoch + 1} of {training.num_epochs} and saved; to continue, give the same "
            f"command with --resume (the run is {run.path})",
            stop.signal_number,
        )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Use torch's generators from a seed on, and its deterministic algorithms; all is put back afterwards."""
    deterministic, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory = torch.utils.deterministic
        fill = memory.fill_uninitialized_memory  # type: ignore[attr-defined]
        memory.fill_uninitialized_memory = False  # type: ignore[attr-defined] # it costs more than it could show
        try:
            yield
        finally:
            memory.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)


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
        reason = str(error).partition("\n")[0]
        raise InputError(f"the network does not take {problem.contract.inputs[0]}: {reason}") from error
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


def _fresh_folder(path: Path, *, replace: bool) -> Path:
    refuse_existing(path, replace=replace)
    if path.exists():
        if any(path.iterdir()):
            _refuse_other_files(path)
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def _refuse_other_files(path: Path) -> None:
    """Raise `InputError` unless a folder holds a run and nothing else: what is replaced is lost."""
    try:
        Run.open(path)
    except ParityError as error:
        raise InputError(f"{path} is not empty and holds no run; it is not replaced, choose another name") from error
    ours = {RECIPE, CHECKPOINT, EVALUATION, TEST_TABLE, STATE_DICT, METRICS, TENSORBOARD, *PICTURES}
    others = sorted(
        entry.name for entry in path.iterdir() if entry.name not in ours and not entry.name.endswith(".partial")
    )
    if others:
        raise InputError(f"{path} holds {others[0]}, which is no file of a run and would be lost; move it away first")


def _write_test_rows(path: Path, problem: Problem) -> None:
    """Write the held-out rows with their labels, as a table that predict and evaluate take."""
    contract = problem.contract
    rows = problem.part(_evaluated_part(problem))
    target = problem.target[rows].tolist()
    labels = [contract.classes[index] for index in target] if contract.is_classifier else problem.target[rows].numpy()
    names = [*(feature.name for feature in contract.features), contract.targets[0]]
    cells = (
        [*("" if value != value else str(value) for value in row), str(label)]  # noqa: PLR0124 -- NaN
        for row, label in zip(problem.data[rows].numpy(), labels, strict=True)
    )
    with atomic_write(path) as file:
        write_csv(file, names, cells)
