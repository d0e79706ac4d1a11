"""From a problem to a run: the notebook's life-cycle, resumable at any moment."""

import dataclasses
from pathlib import Path
from typing import Any

from parity_runtime import InputError
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_json, dump_table, parse_json
from parity_runtime.files.staged_folder import throw_away
from parity_runtime.package.manifest import PROFILE
from parity_training.data.problem import Problem
from parity_training.data.training_profile import training_profile
from parity_training.data.training_targets import training_targets
from parity_training.data.xor import XORSettings, xor_data
from parity_training.diagnostics.diagnose import diagnose
from parity_training.fitting.check_classes import check_classes
from parity_training.fitting.checkpoint import Checkpoints, NotSavedError, restore, saved_weights
from parity_training.fitting.cross_validation import CrossValidation, check_folds
from parity_training.fitting.evaluation import inputs_of, metrics_of, outputs_of
from parity_training.fitting.finish import check_decisions, finish
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.mlflow_log import Log, as_mlflow_log, destination
from parity_training.fitting.mlflow_run import MLflowRun, mlflow_run
from parity_training.fitting.prepare import NetworkChoice, make_recipe, prepare, shapes_in_training
from parity_training.fitting.process_group import current_group, restarted
from parity_training.fitting.progress_bar import OnEpoch, shown, with_bar
from parity_training.fitting.seeded import explained, seeded
from parity_training.fitting.stop_signals import StoppedError, StopRequest, stop_requests
from parity_training.fitting.target_checks import refuse_no_weights
from parity_training.fitting.training_log import check_tensorboard, open_log, read_epochs
from parity_training.networks.registry import Network
from parity_training.recipe import Recipe
from parity_training.run import EVALUATION, RECIPE, STATE_DICT, TEST_TABLE, Run, unfinished_path
from parity_training.run_folder import check_folder, write_test_rows
from parity_training.settings import TrainSettings
from parity_training.unfinished_run import begun, finished_before, put_in_place, reopened, state_after_restart
from parity_training.weights.state_dict import check_state_dict
from parity_training.weights.weights_file import save_object


def train_xor(
    out: str | Path,
    settings: XORSettings | None = None,
    *,
    replace: bool = False,
    on_epoch: OnEpoch = lambda _: None,
    progress: bool = False,
    log: Log = "tensorboard",
) -> Run:
    """Train the notebook's network on the continuous XOR problem, write a run, and return it.

    >>> from parity_training import XORSettings, train_xor
    >>> train_xor("runs/xor_example", XORSettings(size=200, epochs=2), replace=True)
    Run('runs/xor_example', XORClassifier, binary, 2 features)

    Args:
        out: the run folder to make.
        settings: how many points, and how to train; None for the notebook's figures.
        replace: replace an existing run. It stays as it is until this one has finished.
        on_epoch: a function that is called after each epoch.
        progress: show a bar with the epoch, its loss and its metrics, in a notebook or on stderr; needs the extra
            ``notebook``.
        log: ``mlflow``, or a `MLflowLog`, logs to MLflow as well.

    Raises:
        InputError: the folder exists, a setting is out of range, or MLflow cannot be reached.
        MissingExtraError: tensorboard is not installed, or tqdm for ``progress``, or mlflow for ``log``.
        UnfinishedRunError: ``<out>.unfinished`` holds a training that was stopped.
        StoppedError: SIGTERM, SIGHUP or Ctrl-C came; the run can be resumed.
    """
    settings = settings or XORSettings()
    choice = NetworkChoice("XORClassifier", {"num_hidden": settings.hidden})
    data = xor_data(settings)
    return train_model(
        data, choice, settings.training(), out, replace=replace, on_epoch=on_epoch, progress=progress, log=log
    )


def train_model(  # noqa: PLR0913 -- what a training is made of, and who watches it
    training_data: Problem,
    choice: NetworkChoice,
    settings: TrainSettings,
    out: str | Path,
    *,
    replace: bool = False,
    on_epoch: OnEpoch = lambda _: None,
    progress: bool = False,
    log: Log = "tensorboard",
) -> Run:
    """Train a network, write a run, and return it.

    >>> from parity_training import NetworkChoice, TrainSettings, XORSettings, train_model, xor_data
    >>> data, choice = xor_data(XORSettings(size=200)), NetworkChoice("MLP", {"hidden": [8]})
    >>> train_model(data, choice, TrainSettings(epochs=2), "runs/mlp_example", replace=True)
    Run('runs/mlp_example', MLP, binary, 2 features)

    Args:
        training_data: the rows to train on, and what they mean, as `table_data`, `stream_table` and `xor_data` return
            them.
        choice: the network, and its arguments.
        settings: how to train it.
        out: the run folder to make.
        replace: replace an existing run. It stays as it is until this one has finished. A run that was stopped is
            discarded.
        on_epoch: a function that is called after each epoch.
        progress: show a bar, as `train_xor` does.
        log: ``mlflow``, or a `MLflowLog`, also logs to MLflow: the settings, the figures of each epoch, and the
            evaluation. The recipe does not record this. A resumed training continues to log to the same place. If
            MLflow's server fails after training has begun, Parity warns, and training continues.

    Raises:
        InputError: the folder exists; a setting does not fit; the classes are numbers, with too few rows of each to
            learn; MLflow cannot be reached; or the loss is no longer finite.
        MissingExtraError: tensorboard is not installed, or tqdm for ``progress``, or mlflow for ``log``.
        UnfinishedRunError: ``<out>.unfinished`` holds a training that was stopped.
        StoppedError: SIGTERM, SIGHUP or Ctrl-C came; the run can be resumed.
        LostProcessError: in a `process_group`, another process has ended; the run can be resumed.
    """
    check_tensorboard()
    mlflow, target, group = as_mlflow_log(log), Path(out), current_group()
    if not group.leads:
        return _follow(target, training_data, choice.user_network, on_epoch)
    on_epoch = with_bar(on_epoch, progress=progress)
    state = state_after_restart(target, make_recipe(training_data, choice, settings)) if restarted() else None
    if state == "unfinished":
        return resume(target, training_data, choice.user_network, on_epoch, replace=replace)
    if state == "finished":
        return _already_there(Run.open(target))
    check_folder(target, replace=replace)
    check_classes(training_data)
    check_decisions(training_data, settings)
    refuse_no_weights(training_data)
    check_folds(training_data, settings, group.size)
    place = destination(mlflow) if mlflow else None
    recipe = make_recipe(training_data, choice, settings)
    with group.finishing(), seeded(settings.seed):
        training = prepare(training_data, recipe, choice.user_network, settings)  # refuses before anything is written
        with begun(target, replace=replace) as folder:
            run = Run(folder, recipe)
            run.write_json(RECIPE, recipe.to_json())
            write_test_rows(run.path / TEST_TABLE, training_data)
            if place:
                place.write(folder)
            Checkpoints(run.path, training).save()  # from here on it can be resumed
            try:
                run = _finish(run, training_data, training, choice.user_network, on_epoch)
            except InputError as error:
                never_ran = training.progress.epoch == 0 and not isinstance(error, NotSavedError)
                if never_ran:  # there is nothing to keep or to resume
                    throw_away(folder, target)
                raise
            return put_in_place(run, target, replace=replace)


def resume(
    out: str | Path,
    training_data: Problem,
    user_network: Network | None = None,
    on_epoch: OnEpoch = lambda _: None,
    *,
    replace: bool = False,
    progress: bool = False,
) -> Run:
    """Continue a run that was stopped or killed, and return it. The result equals that of an uninterrupted training.

    >>> from parity_training import StoppedError, XORSettings, resume, train_xor, xor_data
    >>> import signal
    >>> settings = XORSettings(size=200, epochs=3)
    >>> try:
    ...     train_xor("runs/stopped", settings, replace=True, on_epoch=lambda _: signal.raise_signal(signal.SIGTERM))
    ... except StoppedError as stopped:
    ...     print(stopped.signal_number)
    15
    >>> resume("runs/stopped", xor_data(settings), replace=True)
    Run('runs/stopped', XORClassifier, binary, 2 features)

    Args:
        out: the run folder. The stopped training is in ``<out>.unfinished``.
        training_data: the same rows as before.
        user_network: the callable that makes the network, if the network is your own.
        on_epoch: a function that is called after each further epoch.
        replace: replace an existing run.
        progress: show a bar, as `train_xor` does. It begins at the epoch where the training continues.

    Raises:
        InputError: there is no stopped training, it has finished, or the rows are not the same.
        StoppedError: SIGTERM, SIGHUP or Ctrl-C came again.
    """
    check_tensorboard()
    target, group = Path(out), current_group()
    if not group.leads:
        return _follow(target, training_data, user_network, on_epoch)
    on_epoch = with_bar(on_epoch, progress=progress)
    if finished_before(target):
        return _already_there(Run.open(target))
    with group.finishing(), reopened(target, replace=replace) as begun_run:
        run = begun_run
        if run.recipe.data != training_data.source:
            raise InputError(f"{target} was trained on other rows; resume it with the same data")
        if not (run.path / STATE_DICT).is_file():  # else it was killed between its last file and its name
            run = _continue(run, training_data, user_network, on_epoch)
        else:
            group.told(_plan(run.recipe, train=False))
            _log_again(run.path)
        return put_in_place(run, target, replace=replace)


def _log_again(folder: Path) -> None:
    """Log what MLflow lacks of a training that has ended; the process that trained may have been killed before."""
    with mlflow_run(folder) as mlflow:
        if mlflow:
            for epoch in read_epochs(folder):
                mlflow.write(epoch)


def _continue(run: Run, training_data: Problem, user_network: Network | None, on_epoch: OnEpoch) -> Run:
    settings = _settings_of(run)
    if user_network is None:  # a recipe may ask for any size: its weights must be there before memory is taken
        weights, path = saved_weights(run.path)
        check_state_dict(shapes_in_training(run.recipe, settings), weights, str(path))
    with seeded(settings.seed):
        training = prepare(training_data, run.recipe, user_network, settings)
        restore(run.path, training)
        if not (run.path / TEST_TABLE).is_file():
            write_test_rows(run.path / TEST_TABLE, training_data)
        return _finish(run, training_data, training, user_network, on_epoch)


def _settings_of(run: Run) -> TrainSettings:
    return TrainSettings.from_json(run.recipe.training, str(run.path / RECIPE))


def _already_there(run: Run) -> Run:
    """Return a run that had been written when a process ended: torchrun has started the others again for nothing."""
    with current_group().finishing():
        current_group().told(_plan(run.recipe, train=False))
    return run


def _plan(recipe: Recipe, *, train: bool = True) -> dict[str, Any]:
    """Return what the leading process tells the others: the recipe, and whether there is anything to train."""
    return {"recipe": dump_json(recipe.to_json()).decode(), "train": train}


def _follow(target: Path, training_data: Problem, user_network: Network | None, on_epoch: OnEpoch) -> Run:
    """Train as the leading process says, and write nothing."""
    group = current_group()
    with group.finishing(), stop_requests() as stop:
        plan = group.told()
        where = "the recipe of the leading process"
        recipe = Recipe.from_json(parse_json(plan["recipe"].encode(), where), where)
        if recipe.data != training_data.source:
            raise InputError(f"rank {group.rank} was given other rows than the leading process")
        settings = TrainSettings.from_json(recipe.training, where)
        if plan["train"]:
            with seeded(settings.seed):
                training = prepare(training_data, recipe, user_network, settings)
                training.stop = stop
                for result in explained(training):
                    on_epoch(result)
                _refuse_stopped(unfinished_path(target), stop, training)
    return Run(target, recipe)


def _finish(
    run: Run, training_data: Problem, training: TrainingLoop, user_network: Network | None, on_epoch: OnEpoch
) -> Run:
    """Train to the end, or to the next signal, and write what a finished run holds."""
    settings = _settings_of(run)
    with mlflow_run(run.path) as mlflow, shown(on_epoch, settings, training.progress.epoch):
        _train(run, training, on_epoch, mlflow)
        folds = _folds(run, training_data, user_network, on_epoch)
        return _write_results(run, training_data, training, folds)


def _train(run: Run, training: TrainingLoop, on_epoch: OnEpoch, mlflow: MLflowRun | None) -> None:
    gradients = str(training.gradients or "autograd's")
    with stop_requests() as training.stop, open_log(run.path, training.progress.epoch, mlflow, gradients) as log:
        current_group().told(_plan(run.recipe))
        checkpoints = Checkpoints(run.path, training, log.flush)
        training.after_step = checkpoints.save_if_due
        for result in explained(training):
            log.write(result)
            on_epoch(result)
        checkpoints.save()
        _refuse_stopped(run.path, training.stop, training)


def _write_results(run: Run, training_data: Problem, training: TrainingLoop, folds: dict[str, Any]) -> Run:
    """Evaluate the best weights, and write what an unfinished run has not."""
    settings = _settings_of(run)
    done = finish(training_data, training, settings, run.recipe.contract)
    part = training_data.evaluated_part
    contract = done.contract
    trained = training_targets(training_data, contract.objective)
    outputs = outputs_of(done.model, inputs_of(training_data, part))
    metrics = metrics_of(training_data, outputs, part, contract=contract, trained=trained)
    run = dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, contract=contract))
    run.write_json(RECIPE, run.recipe.to_json())  # with the threshold that was chosen
    found = diagnose(training_data, contract, done.model, outputs, part, run.path / TEST_TABLE)
    write_file(run.path / EVALUATION, dump_table({"part": part} | metrics | done.decided | folds | found))
    profile = training_profile(training_data, trained)
    if profile is not None:
        write_file(run.path / PROFILE, profile.dump())
    save_object(dict(done.model.state_dict()), run.path / STATE_DICT)  # the last file: a run that has it has finished
    return run


def _folds(run: Run, training_data: Problem, user_network: Network | None, on_epoch: OnEpoch) -> dict[str, Any]:
    """Return what a cross-validation says, where the settings ask for one."""
    settings = _settings_of(run)
    if settings.folds is None:
        return {}
    with seeded(settings.seed), stop_requests() as stop:
        folds = CrossValidation(training_data, run.recipe, settings, user_network)
        found = folds.run(run.path, stop, on_epoch)
    if found is None:
        raise StoppedError(f"stopped in the cross-validation and saved in {run.path}", stop.signal_number)
    return {"folds": found}


def _refuse_stopped(path: Path, stop: StopRequest, training: TrainingLoop) -> None:
    if stop.signal_number:
        progress = training.progress
        raise StoppedError(
            f"stopped in epoch {progress.epoch + 1} of {training.num_epochs} and saved in {path}",
            stop.signal_number,
        )
