"""The folder that the answers of a table in parts go to, locked while a job writes it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.files.atomic_write import explained, fsync_folder, write_file
from parity_runtime.files.locks import held
from parity_runtime.files.paths import refuse_unwritable, resolved
from parity_runtime.scoring.folder_job import JOB, LOCK, RECORDS, SUCCESS, FolderJob
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.tables.find_tables import holds
from parity_runtime.tables.table_parts import TablePart


class AnswerFolder:
    """A folder of answers.

    Args:
        job: what goes there.
        parts: all of them.

    Attributes:
        path: of the folder.
    """

    def __init__(self, job: FolderJob, parts: Sequence[TablePart]) -> None:
        self.path, self._job, self._parts = Path(job.out), job, parts

    def refuse(self) -> None:
        """Refuse a folder that cannot take the job; nothing is changed.

        Raises:
            InputError: it is a file, holds tables that are read or anything else, or cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path} is a file, and many tables need a folder; choose another {argument('out')}")
        target = resolved(self.path)
        read = next((part.path for part in self._parts if target in resolved(Path(part.path)).parents), None)
        if read is not None:
            raise InputError(
                f"{read} lies in {self.path}, where the predictions are written; choose another folder with "
                f"{argument('out')}"
            )
        if not self.path.exists():
            refuse_unwritable(target)
            return
        begun = self._job.is_in(self.path, self._parts)
        known = {self._job.target(part) for part in self._parts} | {self.path / SUCCESS, self.path / JOB}
        for path in _files(self.path):
            if path not in known or not begun:
                raise self._job.refused(f"{self.path} holds a file that does not belong to this job: {path}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder, or find it as the same job has left it, and hold its lock while the block runs.

        Raises:
            InputError: another process writes it, or as `refuse`.
        """
        lock = self.path / LOCK
        with explained(self.path):
            self.refuse()
            make_folder(self.path / RECORDS)
            lock.touch()
        with held(lock, f"writing {self.path}"):
            with explained(self.path):
                self.refuse()  # as another process may have left it since
                if not self.is_complete:
                    write_file(self.path / JOB, self._job.dump(self._parts))
            yield

    @property
    def is_complete(self) -> bool:
        """Whether a job has been complete here."""
        return (self.path / SUCCESS).exists()

    def reopen(self) -> None:
        """Take back that the folder is complete: a part is missing, or was changed."""
        (self.path / SUCCESS).unlink(missing_ok=True)
        fsync_folder(self.path)

    def complete(self, records: Sequence[PartRecord]) -> None:
        """Say what each part was made of, and then that all are there."""
        write_file(self.path / JOB, self._job.dump(self._parts, records))
        write_file(self.path / SUCCESS, b"")


def refuse_among_tables(out: Path, tables: Sequence[str]) -> None:
    """Refuse a folder of answers in a folder of tables: they would be tables of the next job.

    Raises:
        InputError: it lies there.
    """
    for table in tables:
        if holds(table, out):
            raise InputError(
                f"{out} lies in {table}, whose tables are read, and its predictions would be tables of the next job; "
                f"choose a folder beside it with {argument('out')}"
            )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and bring their names to the disk."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        fsync_folder(one.parent)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that readers see, and its marks; what begins with a point is passed over."""
    for place, folders, files in os.walk(folder):
        top = Path(place) == folder
        folders[:] = [name for name in folders if not name.startswith(".") and not (top and name == RECORDS)]
        yield from (Path(place) / name for name in files if not name.startswith("."))
