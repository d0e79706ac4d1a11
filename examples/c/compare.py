"""python compare.py PROGRAM PACKAGE: whether a program's outputs for random rows have the bits of Python's.

Both must use the same onnxruntime. Rows are drawn within and beyond what the contract says of training, and hold
zeros, subnormal numbers and the extremes of float32 as well, known, unknown and missing texts, and dates.
"""

import csv
import io
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import Feature, ModelContract, Predictor
from parity_runtime.inference.input_validation import table_inputs

ROWS = 5000
UNKNOWN = ("", "NA", " ", "?", 'a "b", c', "é", "0", "Null")
FIRST, LAST = np.array(["1000-01-01", "9999-12-31"], "datetime64[s]").astype(np.int64)
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
        print(f"{package}: {graph}: {printed.size} values of {ROWS} rows, {wrong} differ from Python's in a bit")
        different += wrong
    return 3 if different else 0


def random_rows(contract: ModelContract) -> dict[str, list[Any]]:
    """Return a column of cells for each feature, in the order in which the program takes them."""
    rng = np.random.default_rng(0)
    return {feature.name: _cells(feature, rng) for feature in contract.row_features}


def _cells(feature: Feature, rng: np.random.Generator) -> list[Any]:
    if feature.is_text:
        return rng.choice([*feature.categories, *UNKNOWN], ROWS).tolist()
    if feature.kind == "datetime":
        moments = rng.integers(FIRST, LAST, ROWS).astype("datetime64[s]")
        form = feature.format
        texts = moments.astype(str) if form is None else [moment.strftime(form) for moment in moments.tolist()]
        return np.where(rng.random(ROWS) < 0.1, "NA", texts).tolist()
    if feature.kind == "boolean":
        return rng.choice(["true", "False", "1", "0.0"], ROWS).tolist()
    return _numbers(feature, rng).tolist()


def _numbers(feature: Feature, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return float32 ``[rows]``; the last tenth holds special values."""
    low, high = feature.range or (-1.0, 1.0)
    numbers = rng.uniform(2 * low - high, 2 * high - low, ROWS).astype(np.float32)
    special = rng.choice(SPECIAL, ROWS // 10)
    numbers[-len(special) :] = np.where(rng.random(len(special)) < 0.5, special, numbers[-len(special) :])
    return numbers


def program_bits(program: str, package: str, rows: dict[str, list[Any]], *, certified: bool) -> NDArray[np.str_]:
    """Return the cells that the program prints, ``[rows, values]``."""
    text = io.StringIO()
    # csv writes a float as the shortest decimal of its double value: every reader rounds it to the same float32.
    csv.writer(text, lineterminator="\n").writerows(zip(*rows.values(), strict=True))
    options = ["--certified"] if certified else []
    command = [program, "predict", "--bits", *options, package, "-"]
    done = subprocess.run(command, input=text.getvalue(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return np.array([line.split(",")[1:] for line in done.stdout.splitlines()[1:]])


def python_bits(predictor: Predictor, rows: dict[str, list[Any]]) -> NDArray[np.str_]:
    """Return Python's outputs, written in the same way."""
    outputs = predictor.run(table_inputs(predictor.contract, rows))
    columns = [array.reshape(ROWS, -1) for array in outputs.values()]
    return np.array([[bits(value) for part in columns for value in part[row]] for row in range(ROWS)])


def bits(value: np.generic) -> str:
    """Return a float's bits in hexadecimal, anything else as a whole number."""
    return f"{int(value.view('u4')):08x}" if value.dtype == np.float32 else str(int(value))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
