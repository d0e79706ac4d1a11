"""The options of ``parity train``; what is not given takes the default of the data's kind."""

import re
from collections.abc import Callable
from typing import Any

import click

from parity_runtime.cli.options import names
from parity_runtime.cli.sectioned_help import section
from parity_training.cli.arguments import name_values
from parity_training.cli.launch import MOST_PROCESSES
from parity_training.networks.registry import NETWORKS

_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(B|KB|MB|GB|TB|KIB|MIB|GIB|TIB)", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip

_Option = Callable[[Any], Any]
_Declare = Callable[..., _Option]


def _listed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    return names(text)


def _paired(_context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    return name_values(parameter.opts[0], texts)


def _targets(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> Any:
    return names[0] if len(names) == 1 else names


def _size(_context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    found = None if text is None else _SIZE.fullmatch(text.strip())
    if text is not None and found is None:
        raise click.BadParameter("give a size, such as 500MB or 4GB", param=parameter)
    return None if found is None else round(float(found[1]) * _UNITS[found[2].upper()])


def _class_weights(_context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    if text is None or text == "balanced":
        return text
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter("give balanced, or a number for each class", param=parameter) from error


def _list(option: _Declare, name: str, text: str, *target: str) -> _Option:
    return option(name, *target, callback=_listed, metavar="A,B,...", help=text)


def _pairs(option: _Declare, name: str, target: str, text: str) -> _Option:
    return option(name, target, multiple=True, callback=_paired, metavar="NAME=VALUE", help=text)


_columns = section("The columns of a table")
_rows = section("How the rows of a table are split")
_decision = section("The decision of a classifier (tables only)")
_xor = section("The XOR problem (DATA is xor)")
_network = section("The network")
_training = section("The training")
_several = section("Several networks")
_where = section("Where it runs, and what is logged")

_OPTIONS: tuple[_Option, ...] = (
    _columns("--target", multiple=True, callback=_targets, metavar="COLUMN",
             help="The column to predict. Repeat it to predict several numbers."),
    _columns("--task", type=click.Choice(["classification", "regression"]),
             help="Predict a class or a number [default: by the target's values]."),
    _list(_columns, "--features", "The columns to predict from [default: all others]."),
    _list(_columns, "--drop-columns", "Columns to leave out."),
    _list(_columns, "--id", "Columns that identify a row. They are not features, but stay in the held-out table.",
          "id_columns"),
    _list(_columns, "--categorical", "Columns of categories: text, or integers that stand for something."),
    _list(_columns, "--numeric", "Columns of numbers, even if they look like categories or identifiers."),
    _list(_columns, "--datetime", "Columns of dates: NAME for ISO 8601, or NAME=FORMAT, such as sold=%d/%m/%Y."),
    _columns("--max-categories", type=int,
             help="Encode this many categories of a column; rarer ones count as unknown [default: 1000]."),
    _columns("--weight", metavar="COLUMN", help="The column with the weight of each row in the loss, 0 or more."),
    _rows("--validation", type=float,
          help="Fraction of the rows that decides when to stop [default: 0.1]."),
    _rows("--test", type=float, help="Fraction of the rows that is held out for the final test [default: 0.1]."),
    _rows("--validation-file", metavar="FILE", help="A table that decides when to stop, instead of --validation."),
    _rows("--test-file", metavar="FILE", help="A table for the final test, instead of --test."),
    _rows("--group", metavar="COLUMN", help="Keep rows with the same value in this column in the same part."),
    _rows("--time", metavar="COLUMN",
          help="The column with the time of each row, as NAME or NAME=FORMAT. The last rows are held out."),
    _decision("--positive", metavar="CLASS",
              help="Two classes: predict the probability of this one [default: the second]."),
    _decision("--threshold", type=float,
              help="Two classes: a row is positive from this probability on [default: 0.5]."),
    _decision("--threshold-for", metavar="GOAL",
              help="Two classes: choose the threshold on the validation rows for f1, recall=0.9, precision=0.9, or "
                   "cost=1,10 (the cost of a false positive and of a false negative)."),
    _decision("--calibrate", is_flag=True,
              help="Divide the logits by a temperature that is fitted on the validation rows."),
    _xor("--size", type=int, help="Points to train on [default: 5000]."),
    _xor("--validation-size", type=int, help="Points to validate on [default: 500]."),
    _xor("--test-size", type=int, help="Points to hold out for the final test [default: 500]."),
    _xor("--std", type=float, help="Standard deviation of the noise [default: 0.1]."),
    _xor("--hidden", type=int, help="Neurons of the hidden layer [default: 4]."),
    _network("--network", help=f"{', '.join(NETWORKS)}, or package.module:Callable "
                               "[default: MLP; XORClassifier for xor]."),
    _pairs(_network, "--arg", "arguments",
           "An argument of the network, such as hidden=[64,64], activation=Tanh or dropout=0.1; repeatable."),
    _training("--loss", help="A loss of torch.nn, or quantile=0.9 [default: BCEWithLogitsLoss for two classes, "
                             "CrossEntropyLoss for more, MSELoss for numbers]."),
    _training("--class-weights", callback=_class_weights, metavar="W",
              help="balanced, or one weight for each class, such as 1,5."),
    _training("--epochs", type=int, help="The largest number of passes over the training rows [default: 200]."),
    _training("--patience", type=int, help="Stop after this many epochs in which the validation loss did not improve "
                                           "[default: 20 for a table; never for xor]."),
    _training("--batch-size", type=int, help="Rows in one step [default: 128; fewer for a small table]."),
    _training("--optimizer", help="A class of torch.optim [default: Adam; SGD for xor]."),
    _pairs(_training, "--optimizer-arg", "optimizer_arguments",
           "An argument of the optimizer, such as momentum=0.9; repeatable."),
    _training("--learning-rate", type=float, help="The learning rate [default: 0.001; 0.03 for xor]."),
    _training("--weight-decay", type=float, help="The weight decay [default: 0]."),
    _training("--scheduler", help="A class of torch.optim.lr_scheduler. It takes one step an epoch."),
    _pairs(_training, "--scheduler-arg", "scheduler_arguments",
           "An argument of the scheduler, such as step_size=50; repeatable."),
    _training("--clip-norm", type=float, help="Clip the norm of all gradients together to this [default: no limit]."),
    _training("--seed", type=int, help="Seed of the random points, the split, the first weights and the order of rows "
                                       "[default: 1234]."),
    _several("--restarts", type=int, help="Train this many networks at once, each from its own first weights "
                                          "[default: 1]."),
    _several("--combine", type=click.Choice(["average", "best"]),
             help="Keep the average of these networks, or the best one [default: average]."),
    _several("--folds", type=int, help="Also cross-validate on this many folds, for the mean and spread of the "
                                       "metrics [default: no cross-validation]."),
    _where("--device", type=click.Choice(["auto", "cpu", "cuda"]),
           help="Train on the CPU or on CUDA; auto takes CUDA if there is one [default: auto]."),
    _where("--processes", type=click.IntRange(1, MOST_PROCESSES),
           help="Train with this many processes on this machine; they divide every batch [default: 1]."),
    _where("--num-workers", type=int,
           help="Processes that load batches [default: 0, the training process loads them itself]."),
    _where("--memory", callback=_size, metavar="SIZE",
           help="Keep the rows of the table on disk, and at most SIZE of them in memory, such as 4GB [default: all in "
                "memory]."),
    _where("--log", type=click.Choice(["tensorboard", "mlflow"]),
           help="Log the epochs for TensorBoard; mlflow logs them in MLflow as well, at MLFLOW_TRACKING_URI or in "
                "mlflow.db [default: tensorboard]."),
    _where("--experiment", help="With --log mlflow: the experiment [default: MLFLOW_EXPERIMENT_NAME, or Default]."),
    _where("--log-weights", is_flag=True, help="With --log mlflow: keep the trained weights in MLflow as well."),
)  # fmt: skip


def train_options(command: Any) -> Any:
    """Add the options to a command; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
