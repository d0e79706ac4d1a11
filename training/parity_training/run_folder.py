"""The folder of a run: made anew or replaced, and the held-out rows in it."""

import shutil
from pathlib import Path

from parity_runtime import InputError, ParityError
from parity_runtime.files import atomic_write, refuse_existing
from parity_runtime.paths import refuse_unwritable
from parity_runtime.tables.csv_file import write_csv
from parity_training.log import METRICS, TENSORBOARD
from parity_training.problem import Problem
from parity_training.run import CHECKPOINT, EVALUATION, PICTURES, RECIPE, STATE_DICT, TEST_TABLE, Run


def evaluated_part(problem: Problem) -> str:
    """Return the part that is evaluated at the end: rows that were neither trained nor decided on, if there are any."""
    return next(name for name in ("test", "validation", "train") if len(problem.part(name)))


def check_folder(path: Path, *, replace: bool) -> None:
    """Ask, before the work, whether a run can be made at ``path``.

    Raises:
        InputError: something stands there that may not be replaced, it cannot be written, or its name is no UTF-8.
    """
    refuse_existing(path, replace=replace)
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the run {path} has a name that is no UTF-8, which TensorBoard cannot write to; choose "
                         "another") from error  # fmt: skip
    refuse_unwritable(path)


def fresh_folder(path: Path, *, replace: bool) -> Path:
    """Make an empty folder for a run, in place of an earlier run where it may be replaced.

    Raises:
        InputError: something stands there that is no run, holds other files as well, or may not be replaced.
    """
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


def write_test_rows(path: Path, problem: Problem) -> None:
    """Write the held-out rows with their labels, as a table that predict and evaluate take."""
    contract = problem.contract
    rows = problem.part(evaluated_part(problem))
    target = problem.target[rows].tolist()
    labels = [contract.classes[index] for index in target] if contract.is_classifier else problem.target[rows].numpy()
    names = [*(feature.name for feature in contract.features), contract.targets[0]]
    cells = (
        [*("" if value != value else str(value) for value in row), str(label)]  # noqa: PLR0124 -- NaN
        for row, label in zip(problem.data[rows].numpy(), labels, strict=True)
    )
    with atomic_write(path) as file:
        write_csv(file, names, cells)
