"""The options of ``parity train``; what is not given takes the default of the data's kind."""

import re
from collections.abc import Callable
from typing import Any

import click

from parity_runtime.cli.options import names
from parity_training.cli.arguments import name_values
from parity_training.cli.launch import MOST_PROCESSES
from parity_training.networks.registry import NETWORKS

_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(B|KB|MB|GB|TB|KIB|MIB|GIB|TIB)", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


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


def _list(name: str, text: str, target: str | None = None) -> Callable[[Any], Any]:
    return click.option(name, *([target] if target else []), callback=_listed, metavar="A,B,...", help=text)


def _pairs(name: str, target: str, text: str) -> Callable[[Any], Any]:
    return click.option(name, target, multiple=True, callback=_paired, metavar="NAME=VALUE", help=text)


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--target", multiple=True, callback=_targets, help="Table: the column to predict; repeated for several numbers."
    ),
    _list("--features", "Table: the columns to predict from [default: all others]."),
    _list("--drop-columns", "Table: columns to leave out."),
    _list("--id", "Table: columns that name the rows; left out, and kept in the held-out table.", "id_columns"),
    _list("--categorical", "Table: columns of categories: text, or integers that name something."),
    _list("--numeric", "Table: columns of numbers, whatever they look like."),
    _list("--datetime", "Table: columns of dates: NAME in ISO 8601, or NAME=FORMAT such as sold=%d/%m/%Y."),
    click.option("--max-categories", type=int, help="Table: categories of a column with an index [default: 1000]."),
    click.option("--task", type=click.Choice(["classification", "regression"]), help="Table: what the target is."),
    click.option("--positive", help="Table: the class whose probability is predicted [default: the second of two]."),
    click.option("--threshold", type=float, help="Table: positive from this probability on [default: 0.5]."),
    click.option(
        "--memory",
        callback=_size,
        metavar="SIZE",
        help="Table: keep its rows on the disk, and at most SIZE of them in memory, such as 4GB [default: all].",
    ),
    click.option("--validation", type=float, help="Table: fraction that decides when to stop [default: 0.1]."),
    click.option("--test", type=float, help="Table: fraction that is held out until the end [default: 0.1]."),
    click.option("--validation-file", help="Table: a file whose rows decide when to stop, in place of a fraction."),
    click.option("--test-file", help="Table: a file whose rows are held out, in place of a fraction."),
    click.option("--weight", metavar="COLUMN", help="Table: how much each row weighs in the loss, 0 or more."),
    click.option(
        "--group", metavar="COLUMN", help="Table: rows of one value stay together: none of them is held out, or all."
    ),
    click.option(
        "--time", metavar="COLUMN", help="Table: when each row was (NAME or NAME=FORMAT); the last are held out."
    ),
    click.option("--size", type=int, help="xor: training points [default: 5000]."),
    click.option("--validation-size", type=int, help="xor: points that progress is measured on [default: 500]."),
    click.option("--test-size", type=int, help="xor: held-out points [default: 500]."),
    click.option("--std", type=float, help="xor: standard deviation of the noise [default: 0.1]."),
    click.option("--hidden", type=int, help="xor: neurons of the hidden layer [default: 4]."),
    click.option("--network", help=f"{', '.join(NETWORKS)}, or package.module:Callable [default: MLP]."),
    _pairs("--arg", "arguments", "Of the network: hidden=[64,64], activation=Tanh, dropout=0.1; repeatable."),
    click.option("--epochs", type=int, help="Passes over the data, at most [default: 200]."),
    click.option("--batch-size", type=int, help="Rows of one step [default: 128; fewer for a small table]."),
    click.option("--optimizer", help="A class of torch.optim [default: Adam; SGD for xor]."),
    _pairs("--optimizer-arg", "optimizer_arguments", "Of the optimizer: momentum=0.9; repeatable."),
    click.option("--learning-rate", type=float, help="Of the optimizer [default: 0.001; 0.03 for xor]."),
    click.option("--weight-decay", type=float, help="Of the optimizer [default: 0]."),
    click.option("--scheduler", help="A class of torch.optim.lr_scheduler, stepped once an epoch."),
    _pairs("--scheduler-arg", "scheduler_arguments", "Of the scheduler: step_size=50; repeatable."),
    click.option(
        "--loss", help="A loss of torch.nn, or quantile=0.9 [default: BCEWithLogitsLoss, CrossEntropyLoss or MSELoss]."
    ),
    click.option("--class-weights", callback=_class_weights, metavar="W", help="balanced, or a weight a class: 1,5."),
    click.option("--clip-norm", type=float, help="The largest norm of all gradients together."),
    click.option("--patience", type=int, help="Stop after as many epochs without a better one [default: table: 20]."),
    click.option("--seed", type=int, help="Of points, split, weights and order [default: 1234]."),
    click.option(
        "--restarts", type=int, help="Networks trained at once, each from first weights of its own [default: 1]."
    ),
    click.option(
        "--combine",
        type=click.Choice(["average", "best"]),
        help="What is kept of several networks: their average, or the best [default: average].",
    ),
    click.option("--folds", type=int, help="Cross-validate on as many folds as well, for mean and spread."),
    click.option("--calibrate", is_flag=True, help="Table: divide logits by a temperature chosen on validation rows."),
    click.option(
        "--threshold-for",
        metavar="GOAL",
        help="Two classes: choose the threshold on validation rows for f1, recall=0.9, precision=0.9, or cost=1,10 "
        "(of a false alarm, and of a miss).",
    ),
    click.option("--num-workers", type=int, help="Processes that load batches [default: 0, straight from memory]."),
    click.option(
        "--processes",
        type=click.IntRange(1, MOST_PROCESSES),
        help="Processes of this machine that train together, each with its part of every batch [default: 1].",
    ),
    click.option(
        "--log",
        type=click.Choice(["tensorboard", "mlflow"]),
        help="Where epochs are logged; mlflow: there as well, at MLFLOW_TRACKING_URI or in mlflow.db "
        "[default: tensorboard].",
    ),
    click.option("--experiment", help="mlflow: the experiment [default: MLFLOW_EXPERIMENT_NAME, or Default]."),
    click.option("--log-weights", is_flag=True, help="mlflow: keep the trained weights there as well."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="[default: auto, CUDA where it is]"),
)


def train_options(command: Any) -> Any:
    """Add the options to a command; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
