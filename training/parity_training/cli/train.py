"""``parity train``."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from parity_runtime import InputError
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.progress import progress_bar
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.cli.table_options import table_options
from parity_runtime.evaluation.result_sentences import result_sentences
from parity_runtime.files.json_file import dump_json, parse_json, read_json
from parity_training.callables import resolve_callable
from parity_training.cli.launch import MOST_PROCESSES, FailedProcessError, launch
from parity_training.cli.table_problem import same_table, table_problem
from parity_training.cli.train_options import train_options
from parity_training.data.column_problem import TableProblemsError
from parity_training.data.problem import Problem
from parity_training.data.table import table_defaults
from parity_training.data.table_settings import TableSettings
from parity_training.data.xor import XORSettings, xor_data
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.mlflow_log import MLflowLog, destination
from parity_training.fitting.objectives import is_of_regression
from parity_training.fitting.prepare import PROCESSES, NetworkChoice
from parity_training.fitting.process_group import LOST, STORE, LostProcessError, current_group, restarted
from parity_training.fitting.progress_bar import figures
from parity_training.fitting.stop_signals import StoppedError
from parity_training.networks.registry import Network
from parity_training.recipe import Recipe
from parity_training.run import EVALUATION, RECIPE, Run, unfinished_path
from parity_training.run_folder import check_folder
from parity_training.settings import TrainSettings
from parity_training.train import resume, train_model
from parity_training.unfinished_run import UnfinishedRunError, find_unfinished, has_checkpoint

_XOR_ONLY = ("size", "validation_size", "test_size", "std")
_TABLE_ONLY = ("memory", *(item.name for item in fields(TableSettings) if item.name != "seed"))
_TYPED = "parity_training.typed"
_PLAUSIBLE = 8  # processes that a run may ask for on a machine of any size
_KEPT_ON_RESUME = ("data", "out", "force", "resume_run", "network", "processes")


class _TrainCommand(SectionedCommand):
    """Knows what was typed, so that a message can say what to type instead."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        context.meta[_TYPED] = list(args)
        return super().parse_args(context, args)


_EXAMPLES = """
    # Train on a table; the values of the target decide between classes and numbers
    parity train data.csv --target label --out runs/mine
    # Predict a price with a larger network, stop early, and repeat it exactly
    parity train homes.csv --target price --arg hidden=[128,64] --patience 10 --seed 7 --out runs/homes
    # Keep the rows of a patient together, and ask for a recall of 95 %
    parity train visits.parquet --target ill --group patient --threshold-for recall=0.95 --out runs/ill
    # Train five networks, keep their average, and cross-validate
    parity train data.csv --target label --restarts 5 --folds 5 --out runs/five
    # Continue a training that was stopped with Ctrl-C
    parity train data.csv --out runs/mine --resume
"""


@click.command(cls=_TrainCommand, examples=_EXAMPLES)
@click.argument("data")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder of the run to write.")
@click.option("--force", is_flag=True, help="Replace an existing run, and discard one that was stopped.")
@click.option(
    "--resume",
    "resume_run",
    is_flag=True,
    help="Continue the stopped run in --out, with the settings that it started with.",
)
@train_options
@table_options
@click.pass_context
def train(context: click.Context, /, data: str, out: Path, force: bool, resume_run: bool, **options: Any) -> None:
    """Train a network on DATA and write a run.

    A run is a folder with the trained weights, and with what rebuilds the network. parity export makes a package of it.

    DATA is a table with a header: CSV or JSON Lines, or Parquet, Arrow or Feather with the [tables] extra. DATA may
    also be xor, the continuous XOR problem of the notebook. The network standardizes a table's numbers and fills its
    missing cells itself.

    The folder --out appears when the training has finished. Until then the run is in OUT.unfinished, and an existing
    run stays as it is. Ctrl-C, SIGTERM and SIGHUP stop the training and save it there; --resume continues it.
    """
    given = {name: value for name, value in options.items() if _is_given(context, name)}
    if "format_name" in given:
        given["format"] = given.pop("format_name")
    network = given.get("network")
    user_network = resolve_callable(network) if network is not None and ":" in network else None
    log = _log(given)
    going_on = _resume_command(data, out, network, force=force)
    if resume_run:
        _refuse_settings(context)
    processes = _to_start(given.pop("processes", None), out, force=force, resume_run=resume_run)
    with _ways_out(context, out, going_on):
        if processes > 1:
            if not resume_run:
                _say_where(log)
            context.exit(launch(processes, context.meta[_TYPED]))
        run = (
            _resumed(data, out, user_network, force=force)
            if resume_run
            else _trained(data, out, given | {"log": log}, user_network, force=force)
        )
    if current_group().leads:
        for line in _summary(run):
            echo_line(line)


@contextmanager
def _ways_out(context: click.Context, out: Path, going_on: str) -> Iterator[None]:
    """Say behind an error what to type next."""
    try:
        yield
    except TableProblemsError as error:
        command = shlex.join(["parity", "train", *context.meta[_TYPED]])
        error.way_out = f"; this reads the table: {command} {error.options}"
        raise
    except UnfinishedRunError as error:
        raise InputError(f"{error}; to continue: {going_on}") from error
    except StoppedError as stopped:
        if not has_checkpoint(unfinished_path(out)):
            raise
        raise StoppedError(f"{stopped}; to continue: {going_on}", stopped.signal_number) from stopped
    except FailedProcessError as error:
        if not has_checkpoint(unfinished_path(out)):
            raise
        raise InputError(f"{error}; what was saved is in {unfinished_path(out)}; to continue: {going_on}") from error
    except LostProcessError as lost:
        if STORE in os.environ:  # the process that has started this one says which was lost
            context.exit(LOST)
        raise LostProcessError(f"{lost}; if no process is started instead, to continue: {going_on}") from lost


def _to_start(asked: int | None, out: Path, *, force: bool, resume_run: bool) -> int:
    """Return how many processes are to be started, 1 where they have been; refuse what is in their way before."""
    if current_group().size > 1:
        if asked is not None and STORE not in os.environ:
            raise InputError("torchrun has started the processes; leave out --processes")
        return 1
    if resume_run:
        recorded = find_unfinished(out).recipe.training.get(PROCESSES, 1)
        recorded = recorded if isinstance(recorded, int) and 1 <= recorded <= MOST_PROCESSES else 1
        if asked is None and recorded > max(os.cpu_count() or 1, _PLAUSIBLE):
            raise InputError(
                f"{out} was trained by {recorded} processes, more than this machine has cores; say how many go on with "
                f"--processes {os.cpu_count() or 1}"
            )
        return asked or recorded
    if asked is not None and asked > 1:
        check_folder(out, replace=force)
    return asked or 1


def _resume_command(data: str, out: Path, network: str | None, *, force: bool) -> str:
    named = [] if network is None or ":" not in network else ["--network", network]
    return shlex.join(["parity", "train", data, "--out", str(out), *named, *["--force"] * force, "--resume"])


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) not in (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def _refuse_settings(context: click.Context) -> None:
    for parameter in context.command.params:
        if parameter.name not in _KEPT_ON_RESUME and _is_given(context, str(parameter.name)):
            raise InputError(f"--resume continues with the run's own settings; leave out {parameter.opts[0]}")


def _log(given: dict[str, Any]) -> MLflowLog | None:
    """Take the options of ``--log`` out of those that were given."""
    log, mlflow = given.pop("log", "tensorboard"), MLflowLog(given.get("experiment"), given.get("log_weights", False))
    for name, option in (("experiment", "--experiment"), ("log_weights", "--log-weights")):
        if name in given and log != "mlflow":
            raise InputError(f"{option} is for --log mlflow")
        given.pop(name, None)
    return mlflow if log == "mlflow" else None


def _say_where(log: MLflowLog | None) -> None:
    """Say where MLflow keeps a training, before its table is read: it must be there."""
    if log is not None:
        place = destination(log)
        echo_line(f"MLflow: experiment {place.experiment} at {place.tracking_uri}", err=True)


def _trained(data: str, out: Path, given: dict[str, Any], user_network: Network | None, *, force: bool) -> Run:
    if current_group().leads and not restarted():
        check_folder(out, replace=force)
        if STORE not in os.environ:  # else whoever has started this process has said so
            _say_where(given["log"])
    _refuse_idle(given)
    training_data, name, settings = _xor(given) if data == "xor" else _table(data, out, given)
    own = {item.name for item in fields(TrainSettings)}
    settings = replace(settings, **{name: value for name, value in given.items() if name in own})
    arguments = given.get("arguments", {})
    if "hidden" in given:
        if data != "xor":
            raise InputError("--hidden is for xor; of an MLP write --arg hidden=[64,64]")
        arguments = {"num_hidden": given["hidden"]} | arguments
    choice = NetworkChoice(given.get("network", name), arguments, user_network)
    with _progress(settings.epochs, settings.folds) as on_epoch:
        return train_model(
            training_data,
            choice,
            settings,
            out,
            replace=force,
            on_epoch=on_epoch,
            log=given["log"] or "tensorboard",
        )


def _resumed(data: str, out: Path, user_network: Network | None, *, force: bool) -> Run:
    group = current_group()
    told = group.told(dump_json(find_unfinished(out).recipe.to_json()).decode() if group.leads else None)
    recipe = Recipe.from_json(parse_json(told.encode(), str(out)), str(out))
    source = recipe.data
    if (source.get("source") == "xor") != (data == "xor"):
        raise InputError(f"{out} was trained on other data than {data}")
    training_data: Problem
    if data == "xor":
        known = {item.name for item in fields(XORSettings)}
        training_data = xor_data(XORSettings(**{name: value for name, value in source.items() if name in known}))
    else:
        training_data = same_table(data, out, recipe)
    settings = TrainSettings.from_json(recipe.training, str(out / RECIPE))
    with _progress(settings.epochs, settings.folds) as on_epoch:
        return resume(out, training_data, user_network, on_epoch, replace=force)


def _xor(given: dict[str, Any]) -> tuple[Problem, str, TrainSettings]:
    _refuse_others(given, _TABLE_ONLY, "a table; DATA is xor")
    known = {item.name for item in fields(XORSettings)}
    settings = XORSettings(**{name: value for name, value in given.items() if name in known})
    return xor_data(settings), "XORClassifier", settings.training()


def _table(data: str, out: Path, given: dict[str, Any]) -> tuple[Problem, str, TrainSettings]:
    _refuse_others(given, _XOR_ONLY, f"xor; DATA is {data}")
    if "target" not in given:
        raise InputError(f"say which column of {data} is to be predicted, with --target")
    if "task" not in given and is_of_regression(given.get("loss")):
        given["task"] = "regression"
    problem, seed = table_problem(data, out, given)
    return problem, "MLP", table_defaults(problem, seed)


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse an option that another one, given or not, would leave without effect."""
    if "combine" in given and given.get("restarts", 1) == 1:
        raise InputError("--combine says what is kept of several networks; give --restarts 2 or more, or leave it out")
    pairs = (("validation", "validation-file"), ("test", "test-file"), ("threshold", "threshold-for"))
    for name, other in pairs:
        if name in given and other.replace("-", "_") in given:
            raise InputError(f"--{other} replaces --{name}; leave out one of them")


def _refuse_others(given: dict[str, Any], others: tuple[str, ...], whose: str) -> None:
    wrong = next((name for name in others if name in given), None)
    if wrong is not None:
        option = "id" if wrong == "id_columns" else wrong.replace("_", "-")
        raise InputError(f"--{option} is for {whose}")


@contextmanager
def _progress(epochs: int, folds: int | None) -> Iterator[Callable[[EpochResult], None]]:
    """Show a bar with the loss and the metric of each epoch, and behind the training of each fold."""
    if not current_group().leads:
        yield lambda _: None
        return
    with progress_bar(epochs * (1 + (folds or 0)), "training", figures) as advance:
        yield lambda result: advance(result.fold * epochs + result.epoch, result)


def _summary(run: Run) -> list[str]:
    return [*result_sentences(run.recipe.contract, read_json(run.path / EVALUATION)), f"run: {run.path}"]
