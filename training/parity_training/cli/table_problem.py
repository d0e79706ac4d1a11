"""A table as ``parity train`` reads it, and what is said of it."""

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from parity_runtime.arguments import argument
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.table_options import read_options, tell
from parity_runtime.contract import ModelContract
from parity_runtime.printable import counted
from parity_runtime.tables.cell_values import left_out_rows
from parity_training.data.columns import Columns
from parity_training.data.problem import PARTS, Problem
from parity_training.data.stream_table import stream_table
from parity_training.data.table import TableDataset, table_data
from parity_training.data.table_settings import TableSettings
from parity_training.data.table_source import memory_from_source, settings_from_source
from parity_training.fitting.process_group import current_group
from parity_training.recipe import Recipe
from parity_training.reports.column_report import column_report, column_warnings

_SHOWN_CLASSES = 10
_WORDS_FOR_NO = {"no", "n", "nein", "non", "nej", "nee", "nie", "nei", "ne", "net", "нет", "false", "negative"}


def table_problem(data: str, out: Path, given: dict[str, Any]) -> tuple[Problem, int]:
    """Return the problem of a table, and the seed; what its columns turned out to be is said on stderr."""
    read_options(given | {"format_name": given.get("format")})  # what is no option is wrong usage, exit code 2
    known = {item.name for item in fields(TableSettings)}
    settings = TableSettings(**{name: value for name, value in given.items() if name in known})
    leads = current_group().leads
    columns, problem = _read(data, settings, out, out.name or Path(data).stem, given.get("memory"), leads=leads)
    for line in _described(columns, problem) if leads else ():
        echo_line(line, err=True)
    return problem, settings.seed


def same_table(data: str, out: Path, recipe: Recipe) -> Problem:
    """Return the problem of a run that goes on, as it was read at first."""
    settings, memory = settings_from_source(recipe.data), memory_from_source(recipe.data)
    return _read(data, settings, out, recipe.contract.name, memory, leads=False)[1]


def _read(
    data: str, settings: TableSettings, out: Path, name: str, memory: int | None, *, leads: bool
) -> tuple[Columns, Problem]:
    said = tell if leads else lambda _: None
    if memory is None:
        dataset = TableDataset(data, settings, tell=said)
        return dataset.columns, table_data(dataset, settings, name)
    found = stream_table(data, settings, name, memory=memory, folder=_folder(out), tell=said)
    return found.columns, found.data


def _folder(out: Path) -> Path | None:
    """Return where rows are kept: TMPDIR, or the folder of runs, as /tmp may be in memory."""
    if "TMPDIR" in os.environ:
        return Path(os.environ["TMPDIR"])
    return next((above for above in out.absolute().parents if above.is_dir()), None)


def _in_time(source: Mapping[str, Any]) -> str:
    """Return which rows their order in time puts into a part: none into one that a file holds."""
    parts = {"test_file": "are held out", "validation_file": "validate"}
    said = [verb for name, verb in parts.items() if not source.get(name)]
    return f": the last {', and those before them '.join(said)}" if said else ""


def _of_rows(problem: Problem) -> list[str]:
    """Return what columns say of the rows themselves, as a person reads it."""
    source = problem.source
    said = {
        "weight": "the loss weighs rows by {}",
        "group": "rows with the same {} are in the same part",
        "time": f"rows are in the order of {{}}{_in_time(source)}",
        "validation_file": "the rows of {} validate",
        "test_file": "the rows of {} are held out",
    }
    return [text.format(source[name]) for name, text in said.items() if source.get(name)]


def _of_positive(contract: ModelContract) -> list[str]:
    """Return how to predict the other class, where the positive one, the second by default, is a word for no."""
    if contract.task != "binary" or str(contract.positive).casefold() not in _WORDS_FOR_NO:
        return []
    other = str(contract.classes[0])
    way_out = argument("positive", other)
    return [f"the model predicts the probability of {contract.positive}; {way_out} predicts that of {other}"]


def _described(columns: Columns, problem: Problem) -> list[str]:
    """Return what a table turned out to be, as a person reads it."""
    contract = problem.contract
    shown = [*map(str, contract.classes[:_SHOWN_CLASSES]), *["..."] * (len(contract.classes) > _SHOWN_CLASSES)]
    classes = f" ({', '.join(shown)})" if shown else ""
    positive = f", positive is {contract.positive}" if contract.task == "binary" else ""
    train, validation, test = map(problem.num_rows, PARTS)
    imputed = sum(one.missing == "impute" and one.kind in ("numeric", "boolean") for one in contract.features)
    lines = [
        *column_report(columns, problem),
        f"{contract.task}{classes}{positive}: {counted(len(contract.features), 'feature')}, "
        f"{counted(train, 'row')} to train on, {validation} to validate, {test} held out",
    ]
    lines += [*_of_rows(problem), *_of_positive(contract)]
    if imputed:
        lines.append(f"missing cells are filled with their column's mean, in {counted(imputed, 'column')}")
    if columns.without_target:
        words = ", ".join(f"{word}: {count}" for word, count in columns.target.words.most_common())
        lines.append(left_out_rows(columns.without_target, " or ".join(contract.targets)) + f" ({words})" * bool(words))
    return lines + [f"warning: {line}" for line in column_warnings(columns, problem)]
