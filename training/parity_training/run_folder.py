"""The folder of a run: which files belong to it, and the held-out rows in it."""

from pathlib import Path

from parity_runtime import InputError, ParityError
from parity_runtime.files.atomic_write import atomic_write
from parity_runtime.files.paths import refuse_unwritable
from parity_runtime.files.staged_folder import refuse_existing
from parity_runtime.package.manifest import PROFILE
from parity_runtime.tables.csv_file import write_csv
from parity_training.data.problem import Problem
from parity_training.fitting.checkpoint import CHECKPOINT, PREVIOUS
from parity_training.fitting.cross_validation import FOLDS
from parity_training.fitting.mlflow_log import MLFLOW
from parity_training.fitting.training_log import METRICS, TENSORBOARD
from parity_training.run import EVALUATION, PLOTS, RECIPE, REPLACED, STATE_DICT, TEST_TABLE, Run


def check_folder(path: Path, *, replace: bool) -> None:
    """Ask, before the work, whether a run can be made at ``path``.

    Raises:
        InputError: something stands there that may not be replaced, it cannot be written, or its name is no UTF-8.
    """
    refuse_existing(path, replace=replace, check=refuse_lost_files)
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the run {path} has a name that is not UTF-8, which TensorBoard cannot write to; choose "
                         "another") from error  # fmt: skip
    refuse_unwritable(path)


def refuse_lost_files(path: Path) -> None:
    """Raise `InputError` unless a folder holds a run and nothing else: what is replaced is lost."""
    entries = sorted(path.iterdir())
    if not _holds_run(path):
        raise InputError(f"{path} is not empty and holds no run; it is not replaced, choose another name")
    for entry in [*entries, *sorted(path.glob(f"{TENSORBOARD}/*"))]:
        if not _is_ours(entry.relative_to(path)) or (entry.is_dir() and entry.name != TENSORBOARD):
            name = entry.relative_to(path)
            raise InputError(f"{path} holds {name}, which is not a file of a run and would be lost; move it away first")


def _holds_run(path: Path) -> bool:
    """Whether a folder holds a run, be it damaged or killed at its very beginning."""
    if any((path / name).exists() for name in (CHECKPOINT, f".{RECIPE}.partial")):
        return True
    try:
        Run.open(path)
    except ParityError:
        return False
    return True


def _is_ours(name: Path) -> bool:
    """Whether a file in a run's folder is one that Parity writes, or one that a killed process left."""
    if name.parent.name == TENSORBOARD:
        return name.name.startswith("events.out.tfevents.")
    return name.name in _OURS or any(name.name in (f".{ours}.partial", f".{ours}.old") for ours in _OURS)


_OURS = {
    RECIPE, CHECKPOINT, PREVIOUS, EVALUATION, TEST_TABLE, PROFILE, STATE_DICT, METRICS, TENSORBOARD, MLFLOW, REPLACED,
    FOLDS, *PLOTS,
}  # fmt: skip


def write_test_rows(path: Path, problem: Problem) -> None:
    """Write the held-out rows with their labels, as a table that predict and evaluate take.

    Those of a file have all of its columns as they stand, and their number in the file before them.

    Raises:
        InputError: the file has changed since it was read.
    """
    lines = problem.held_out(problem.evaluated_part)
    with atomic_write(path) as file:
        write_csv(file, next(lines), lines)
