"""The page of a host in docs/how-to, as a person uses it: its files in a folder, its commands as they stand."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.end_to_end.guide import blocks, write_files
from tests.python_path import python_path
from tests.unmeasured import unmeasured

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "how-to"
XOR = ROOT / "tests" / "data" / "xor"
PATIENCE = 60.0  # seconds; a busy machine


class HostPage:
    """A page, its files written into a folder.

    Attributes:
        folder: where they are.
    """

    def __init__(self, name: str, folder: Path, package: str = "packages/xor") -> None:
        """Write the files of ``name``, and the package where they look for it."""
        self.folder = folder
        self._text = (PAGES / name).read_text()
        assert write_files(self._text, folder)
        shutil.copytree(XOR, folder / package)

    def lines(self, first: str) -> list[list[str]]:
        """Return the commands that begin with a word, as lists of words, and behind each its comment."""
        found = [line for language, code, _ in blocks(self._text) if language == "sh" for line in code.splitlines()]
        return [
            [*shlex.split(line, comments=True), line.partition("# ")[2].strip()]
            for line in found
            if line.startswith(f"{first} ")
        ]

    def command(self, first: str) -> list[str]:
        """Return the words of the one command that begins with a word."""
        ((*words, _),) = self.lines(first)
        return words

    def python(self) -> str:
        """Return the code of its blocks of Python that are no files."""
        written = {path.read_text() for path in self.folder.glob("*.py")}
        return "".join(code for language, code, _ in blocks(self._text) if language == "python" and code not in written)

    def damage(self, package: str = "packages/xor") -> None:
        """Change a byte of the model."""
        model = self.folder / package / "model.onnx"
        data = bytearray(model.read_bytes())
        data[len(data) // 2] ^= 1
        model.write_bytes(data)

    def environment(self) -> dict[str, str]:
        """Return that of its commands: this Python's own, with the folder as home."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return unmeasured() | {"PATH": path, "PYTHONPATH": python_path(), "HOME": str(self.folder)}

    @contextlib.contextmanager
    def running(self, command: list[str], log: Path, more: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
        """Start a command whose output goes into ``log``, and end it and its children."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment() | more, stdout=out, stderr=out, start_new_session=True
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)


def children(pid: int) -> list[int]:
    """Return the processes that a process has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
