"""Commands whose stderr, or stdout as well, is a terminal."""

import os
import pty
import subprocess
import threading
from collections.abc import Mapping


def on_terminal(
    command: list[str], stdin: bytes = b"", *, both: bool = False, environment: Mapping[str, str] | None = None
) -> tuple[bytes, str]:
    """Run a command and return its stdout, and what it showed on a terminal as stderr; with `both` as stdout, too."""
    ours, theirs = pty.openpty()
    shown: list[bytes] = []

    def watch() -> None:
        while True:
            try:
                piece = os.read(ours, 2**16)
            except OSError:  # the last process that had the terminal has ended
                return
            shown.append(piece)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        out = theirs if both else subprocess.PIPE
        done = subprocess.run(command, input=stdin, stdout=out, stderr=theirs, check=True, env=environment)
    finally:
        os.close(theirs)
        watcher.join()
        os.close(ours)
    return done.stdout, b"".join(shown).decode()
