"""A run that is being trained: it stands beside its target, locked, and takes the target's name when it has finished.

The run that it replaces is whole until then. What a stopped or killed training leaves is kept under its own name,
``NAME.unfinished``, for ``--resume``.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from parity_runtime import InputError
from parity_runtime.arguments import argument, either
from parity_runtime.files.atomic_write import explained, fsync_folder
from parity_runtime.files.json_file import dump_json, parse_json, read_json
from parity_runtime.files.locks import held
from parity_runtime.files.staged_folder import (
    clear_leftover,
    owned_folder,
    publish,
    recover,
    refuse_existing,
    throw_away,
)
from parity_training.fitting.checkpoint import CHECKPOINT, PREVIOUS
from parity_training.fitting.cross_validation import FOLDS
from parity_training.fitting.prepare import PROCESSES
from parity_training.fitting.process_group import restarted
from parity_training.recipe import Recipe
from parity_training.run import RECIPE, REPLACED, STATE_DICT, UNFINISHED, Run, unfinished_path
from parity_training.run_folder import refuse_lost_files


class UnfinishedRunError(InputError):
    """An earlier training of this run was stopped or killed. Continue it, or discard it."""


@contextlib.contextmanager
def begun(target: Path, *, replace: bool) -> Iterator[Path]:
    """Give the empty folder that a run is trained in, locked while the block runs.

    When the block ends with an error the folder stays, if there is a checkpoint to go on from.

    Args:
        target: the run to make.
        replace: it may exist, and so may an unfinished one, which is discarded.

    Raises:
        UnfinishedRunError: an unfinished one is there, with a checkpoint, and must not be discarded.
        InputError: the target exists and must not be replaced, another process trains it, or the disk is full.
    """
    _refuse_name(target)
    refuse_existing(target, replace=replace, check=refuse_lost_files)
    folder = unfinished_path(target)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(folder, target, discard=replace)
        with owned_folder(folder, f"training {target}") as still_there:
            recover(target)
            refuse_existing(target, replace=replace, check=refuse_lost_files)
            if any(folder.iterdir()):
                raise InputError(f"{folder} was begun by another process meanwhile; give the command again")
            try:
                yield folder
            except BaseException:
                if still_there() and not has_checkpoint(folder):
                    throw_away(folder, target)
                raise


def _clear(folder: Path, target: Path, *, discard: bool) -> None:
    """Remove an unfinished run that may be discarded; without a checkpoint there is nothing to continue."""
    clear_leftover(target)
    with contextlib.suppress(FileNotFoundError), held(folder, f"training {target}", needed=True):
        if not any(folder.iterdir()):
            return
        if not discard and has_checkpoint(folder) and not (folder / REPLACED).exists():
            raise UnfinishedRunError(
                f"{folder} holds a training that was stopped; continue it with {_resume()}, or "
                f"discard it with {argument('replace', True, option='--force')}"
            )
        refuse_lost_files(folder)
        throw_away(folder, target)


def has_checkpoint(folder: Path) -> bool:
    """Whether a folder holds something to go on from."""
    return (folder / CHECKPOINT).is_file() or (folder / PREVIOUS).is_file()


@contextlib.contextmanager
def reopened(target: Path, *, replace: bool) -> Iterator[Run]:
    """Give the unfinished run of a target, locked while the block runs.

    Args:
        target: the run that it will be.
        replace: the target may exist.

    Raises:
        InputError: there is none, another process trains it, or the target exists and must not be replaced.
    """
    folder = _where(target)
    with explained(target), held(folder, f"training {target}"):
        clear_leftover(target)
        if folder == target:
            folder = target.rename(unfinished_path(target))
        recover(target)
        _refuse_unless(target, folder, replace=replace)
        yield Run.open(folder)


def _refuse_unless(target: Path, folder: Path, *, replace: bool) -> None:
    if target.exists() and not replace:
        raise InputError(
            f"{target} exists beside {folder}, which would replace it; if it may, "
            + either("give resume replace=True", "add --force to --resume")
        )
    refuse_existing(target, replace=replace, check=refuse_lost_files)


def _where(target: Path) -> Path:
    """Return where the unfinished run stands: Parity 0.1 trained in the target itself."""
    _refuse_name(target)
    folder = unfinished_path(target)
    if (folder / REPLACED).exists():  # a process was killed while it removed the run that it had replaced
        with contextlib.suppress(FileNotFoundError), held(folder, f"training {target}", needed=True):
            if (folder / REPLACED).exists():  # still, with its lock
                throw_away(folder, target)
    if (folder / RECIPE).is_file():
        return folder
    Run.open(target)  # says that there is no run
    if (target / STATE_DICT).is_file():
        raise InputError(
            f"{target} has finished; there is nothing to resume; train it again with "
            + either("replace=True", "--force instead of --resume")
        )
    return target


def finished_before(target: Path) -> bool:
    """Whether the processes of a training are started again for nothing: one ended when the run had its name."""
    return restarted() and (target / STATE_DICT).is_file() and not has_checkpoint(unfinished_path(target))


def find_unfinished(target: Path) -> Run:
    """Return the unfinished run of a target, to read its recipe.

    Raises:
        InputError: there is none.
    """
    return Run.open(target if finished_before(target) else _where(target))


def state_after_restart(target: Path, recipe: Recipe) -> Literal["unfinished", "finished"] | None:
    """Return what the processes of a training have left that are started again; None where it is not theirs.

    Args:
        target: the run that they make.
        recipe: of that run.
    """
    made = parse_json(dump_json(recipe.to_json()), RECIPE)
    unfinished = unfinished_path(target)
    if has_checkpoint(unfinished) and _is_alike(unfinished / RECIPE, made):
        return "unfinished"
    return "finished" if (target / STATE_DICT).is_file() and _is_alike(target / RECIPE, made) else None


def _is_alike(path: Path, made: dict[str, Any]) -> bool:
    """Whether a recipe on disk is that of the same training, on however many processes."""
    found = read_json(path) if path.is_file() else {}
    of_training = all(found.get(key) == made[key] for key in ("network", "data"))
    return of_training and _meaning(found) == _meaning(made) and _settings(found) == _settings(made)


def _meaning(recipe: dict[str, Any]) -> Any:
    """Return the contract, without a threshold that is chosen when training has ended."""
    contract, training = recipe.get("contract"), recipe.get("training")
    if isinstance(contract, dict) and isinstance(training, dict) and training.get("threshold_for") is not None:
        return {**contract, "threshold": None, "logit_threshold": None}
    return contract


def _settings(recipe: dict[str, Any]) -> Any:
    training = recipe.get("training")
    return {**training, PROCESSES: None} if isinstance(training, dict) else training


def put_in_place(run: Run, target: Path, *, replace: bool) -> Run:
    """Give a finished run its name; a run that had it is removed.

    Raises:
        InputError: the target must not be replaced; the finished run stays where it was trained.
    """
    for name in (PREVIOUS, FOLDS):  # which a training that is killed before has need of
        (run.path / name).unlink(missing_ok=True)
    with explained(target):
        try:
            refuse_existing(target, replace=replace, check=refuse_lost_files)
            if target.exists():
                (target / REPLACED).touch()
                fsync_folder(target)
            publish(run.path, target, replace=replace, check=refuse_lost_files)
        except InputError as error:
            (target / REPLACED).unlink(missing_ok=True)
            raise InputError(f"{error}; the finished run is in {run.path}: {_resume()} gives it its name") from error
    return Run(target, run.recipe)


def _resume() -> str:
    return either("parity_training.resume", "--resume")


def _refuse_name(target: Path) -> None:
    if target.name.endswith(UNFINISHED):
        raise InputError(f"{target} is the name of an unfinished run; give the name of the run itself")
