"""Commands whose stderr is a terminal."""

import os
import pty
import subprocess
import threading


def on_terminal(command: list[str], stdin: bytes = b"") -> tuple[bytes, str]:
    """Run a command and return its stdout, and what it showed on a terminal as stderr."""
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
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=theirs, check=True)
    finally:
        os.close(theirs)
        watcher.join()
        os.close(ours)
    return done.stdout, b"".join(shown).decode()
