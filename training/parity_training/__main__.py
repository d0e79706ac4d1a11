"""``python -m parity_training``: ``parity train``, which torchrun starts so on each of several processes."""

import os
import sys

from parity_runtime.cli.main import main
from parity_training.fitting.process_group import expect_processes, stop_with_launcher


def run() -> None:
    """Train and end at once with the right code: taking the connections down aborts now and then."""
    stop_with_launcher()
    expect_processes()
    code: object = 1
    try:
        main(["train", *sys.argv[1:]])
    except SystemExit as stop:
        code = stop.code or 0
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    run()
