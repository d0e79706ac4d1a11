"""How long a first answer takes: of a predictor in a process that runs, and of the command line's processes.

Prints one JSON object. Every time is a ratio of pairs that are measured in turn in one run: the median, with the
quartiles beside it. Processes use compiled modules; `install.py` measures them in an environment of their own.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from common import ROOT, measured, print_parts, ratio, summary

from parity_runtime import Predictor
from parity_runtime.inference.session import create_session

PACKAGE = ROOT / "tests" / "data" / "xor"
REPEATS, PAIRS = 301, 41
COMMAND = "from parity_runtime.cli.main import main; main()"


def main() -> None:
    """Measure and print."""
    print_parts(__doc__, {"predictor": predictor, "processes": processes})


def predictor() -> dict[str, Any]:
    """Return the time from a package's folder to its first row, digests, contract and scan included.

    Beside it stands an InferenceSession over the model and its first run: as onnxruntime makes one, with a pool of
    threads, and with the options that a predictor sets, of one thread.
    """
    row = np.zeros((1, 2), np.float32)

    def ours() -> None:
        Predictor(PACKAGE).predict_proba(row)

    def as_it_comes() -> None:
        session = onnxruntime.InferenceSession(PACKAGE / "model.onnx", providers=["CPUExecutionProvider"])
        session.run(None, {"features": row})

    def one_thread() -> None:
        create_session((PACKAGE / "model.onnx").read_bytes()).run(None, {"features": row})

    beside: dict[str, Callable[[], None]] = {"": as_it_comes, ", its options": one_thread}
    return {
        f"Predictor and its first row over InferenceSession and run{name}": ratio((ours, bare), REPEATS)
        | {"target": "at most 2"}
        for name, bare in beside.items()
    }


def processes() -> dict[str, Any]:
    """Return the time of commands over that of a process that imports what they cannot do without."""
    pairs = {
        "parity predict --row over import numpy, onnxruntime, click": (
            _parity("predict", str(PACKAGE), "--row", "0.1,0.9"), "import numpy, onnxruntime, click", 1.2
        ),
        "parity --help over import click": (_parity("--help"), "import click", 1.5),
    }  # fmt: skip
    return {name: _compared(command, bare) | {"target": f"at most {most}"} for name, (command, bare, most) in
            pairs.items()}  # fmt: skip


def _parity(*arguments: str) -> list[str]:
    return [sys.executable, "-c", COMMAND, *arguments]


def _compared(command: list[str], imports: str) -> dict[str, Any]:
    bare = [sys.executable, "-c", imports]
    both = [(measured(command)["s"], measured(bare)["s"]) for _ in range(PAIRS)][1:]
    return summary([ours / theirs for ours, theirs in both])


if __name__ == "__main__":
    main()
