"""python compare.py PROGRAM PACKAGE: whether a program's outputs for random rows have the bits of Python's.

Both must use the same onnxruntime. Rows are drawn within and beyond what the contract says of training, and hold
zeros, subnormal numbers and the extremes of float32 as well.
"""

import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from parity_runtime import ModelContract, Predictor

ROWS = 5000
SPECIAL = np.array([0.0, -0.0, 1e-45, -1e-38, 3.4e38, -3.4e38, 1.0, 2**24 + 2], np.float32)


def main(program: str, package: str) -> int:
    """Compare every graph of a package; return the exit code."""
    with Predictor(package) as predictor:
        graphs = sorted(predictor.contract.graphs)
    different = 0
    for graph in graphs:
        with Predictor(package, certified=graph == "certified") as predictor:
            rows = random_rows(predictor.contract)
            printed = program_bits(program, package, rows, certified=graph == "certified")
            wrong = int((printed != python_bits(predictor, rows)).sum())
        print(f"{package}: {graph}: {printed.size} values of {len(rows)} rows, {wrong} differ from Python's in a bit")
        different += wrong
    return 3 if different else 0


def random_rows(contract: ModelContract) -> NDArray[np.float32]:
    """Return float32 ``[rows, features]``; the last tenth holds special values."""
    rng = np.random.default_rng(0)
    low = np.array([-1.0 if feature.low is None else feature.low for feature in contract.columns])
    high = np.array([1.0 if feature.high is None else feature.high for feature in contract.columns])
    width = high - low
    rows = rng.uniform(low - width, high + width, (ROWS, len(low))).astype(np.float32)
    special = rng.choice(SPECIAL, (ROWS // 10, len(low)))
    rows[-len(special) :] = np.where(rng.random(special.shape) < 0.5, special, rows[-len(special) :])
    return rows


def program_bits(program: str, package: str, rows: NDArray[np.float32], *, certified: bool) -> NDArray[np.str_]:
    """Return the cells that the program prints, ``[rows, values]``."""
    # The shortest decimal of the double value: every reader rounds it to the same float32.
    text = "\n".join(",".join(map(repr, row)) for row in rows.tolist())
    options = ["--certified"] if certified else []
    command = [program, "predict", "--bits", *options, package, "-"]
    lines = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    return np.array([line.split(",")[1:] for line in lines[1:]])


def python_bits(predictor: Predictor, rows: NDArray[np.float32]) -> NDArray[np.str_]:
    """Return Python's outputs, written in the same way."""
    outputs = predictor.run({predictor.contract.inputs[0].name: rows})
    columns = [array.reshape(len(rows), -1) for array in outputs.values()]
    return np.array([[bits(value) for part in columns for value in part[row]] for row in range(len(rows))])


def bits(value: np.generic) -> str:
    """Return a float's bits in hexadecimal, anything else as a whole number."""
    return f"{int(value.view('u4')):08x}" if value.dtype == np.float32 else str(int(value))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
