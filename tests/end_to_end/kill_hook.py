"""Run before a command: sends its process a signal before the n-th of its calls that change a folder.

KILL_ROOT is the folder that is watched; KILL_AT is n, counted from 1 (0: never), or EVENT:n for the n-th of one kind;
KILL_LOG is a file that gets a line for each of the calls, KILL_SIGNAL the signal's number.
"""

import os
import sys
from pathlib import Path
from typing import Any

_CHANGES = {
    "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
    "parity.exchange", "parity.exchanged",
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_root = os.environ["KILL_ROOT"]
_kind, _, _number = os.environ["KILL_AT"].rpartition(":")
_log = os.open(os.environ["KILL_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_seen = 0


def _place(path: Any, folder: Any) -> str:
    """Return the absolute path of what a call names; shutil.rmtree names it relative to an open folder."""
    if isinstance(path, int):
        return str(Path(f"/proc/self/fd/{path}").readlink())
    inside = Path(f"/proc/self/fd/{folder}").readlink() if isinstance(folder, int) and folder >= 0 else Path.cwd()
    return str(inside / os.fsdecode(path))


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    global _seen  # noqa: PLW0603
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & _WRITES or not isinstance(path, str | bytes | os.PathLike):
            return
        place = _place(path, None)
    elif event in _CHANGES:
        place = _place(arguments[0], arguments[-1])
    else:
        return
    if not place.startswith(_root):
        return
    _seen += _kind in ("", event)
    os.write(_log, f"{event} {place.removeprefix(_root)}\n".encode())
    if _seen == int(_number) and _kind in ("", event):
        os.kill(os.getpid(), int(os.environ["KILL_SIGNAL"]))


sys.addaudithook(_hook)
