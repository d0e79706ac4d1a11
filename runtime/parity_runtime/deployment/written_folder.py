"""A folder that ``parity deploy`` writes, and replaces only where it wrote the one that is there."""

import contextlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from parity_runtime.errors import InputError
from parity_runtime.files.staged_folder import refuse_existing, staged_folder

_MAIN = {"triton": "*/config.pbtxt", "kserve": "inferenceservice.yaml", "docker": "Dockerfile"}
"""The files that begin with `header`, by target."""

_OTHERS = {
    "triton": (),
    "kserve": ("models",),
    "docker": ("compose.yaml", ".dockerignore", "constraints.txt", "*.whl", "packages"),
}
"""What else stands in such a folder."""


def header(target: str) -> str:
    """Return the first line of a configuration, a comment in every language that it is written in.

    >>> print(header("triton"), end="")
    # Written by parity deploy triton
    """
    return f"# Written by parity deploy {target}\n"


def check_folder(folder: Path, target: str, *, replace: bool) -> None:
    """Raise `InputError` where `written_folder` would: before anything is computed for it."""
    refuse_existing(folder, replace=replace, check=lambda found: _refuse_lost_files(found, target))


@contextlib.contextmanager
def written_folder(folder: Path, target: str, *, replace: bool) -> Iterator[Path]:
    """Give a folder to fill, which takes its name when it is whole.

    Args:
        folder: where it will stand.
        target: ``triton``, ``kserve`` or ``docker``.
        replace: replace one that stands there, if it was written by the same command.

    Raises:
        InputError: it exists and may not be replaced.
    """
    with staged_folder(folder, replace=replace, check=lambda found: _refuse_lost_files(found, target)) as staging:
        yield staging


def _refuse_lost_files(folder: Path, target: str) -> None:
    for path in sorted(folder.iterdir()):
        main = path / "config.pbtxt" if target == "triton" else path
        ours = fnmatchcase(main.relative_to(folder).as_posix(), _MAIN[target]) and _begins_with(main, header(target))
        if not ours and not any(fnmatchcase(path.name, name) for name in _OTHERS[target]):
            raise InputError(
                f"{folder} holds {path.name}, which parity deploy {target} did not write and which would be lost; "
                "choose another name"
            )


def _begins_with(path: Path, line: str) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(line)) == line.encode()
    except OSError:
        return False
