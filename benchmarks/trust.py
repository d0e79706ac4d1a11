"""What it costs to be surer: several networks trained at once, and a cross-validation, beside one training.

Prints one JSON object. Jobs take turns in one process, on one thread; ratios are medians with quartiles. ``restarts``
is the notebook's job (5,000 points, batch 128, 200 epochs), ``folds`` the training of a table of 5,000 rows and 10
columns, its reading and its split, with early stopping as ever. ``--only restarts,folds`` measures a part.
"""

import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import print_parts, ratio, run

from parity_training import (
    NetworkChoice,
    TableDataset,
    TableSettings,
    XORSettings,
    table_data,
    train_model,
    xor_data,
)
from parity_training.data.table import table_defaults

ROUNDS = 5
RESTARTS, FOLDS = 16, 5


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print_parts(__doc__, {"restarts": restarts, "folds": folds})


def restarts() -> dict[str, Any]:
    """Return how much longer several networks of the notebook's job take than one."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        commands = (_command(out, RESTARTS), _command(out, 1))
        return {f"parity train xor, {RESTARTS} restarts over one, whole processes": ratio(commands, ROUNDS)} | {
            f"{RESTARTS} restarts over one, {combine} kept": ratio(
                (_xor(out, RESTARTS, combine), _xor(out, 1, "average")), ROUNDS
            )
            | {"target": "at most 1.5"}
            for combine in ("average", "best")
        }


def _command(out: Path, restarts: int) -> Callable[[], object]:
    code = "import sys; from parity_runtime.cli.main import main; main(sys.argv[1:])"
    options = ["train", "xor", "--out", str(out), "--force", "--restarts", str(restarts)]
    return lambda: run([sys.executable, "-c", code, *options])


def _xor(out: Path, restarts: int, combine: str) -> Callable[[], object]:
    def job() -> object:
        settings = XORSettings()
        training = replace(settings.training(), restarts=restarts, combine=combine)
        return train_model(xor_data(settings), NetworkChoice("XORClassifier"), training, out, replace=True)

    return job


def folds() -> dict[str, Any]:
    """Return how much longer a training with a cross-validation takes than one without."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = _table(folder / "table.csv")
        found = ratio((_training(path, folder / "run", FOLDS), _training(path, folder / "run", None)), ROUNDS)
    return {f"a training with {FOLDS} folds over one without": found | {"target": "at most 5.5"}}


def _table(path: Path) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(5000, 10))
    kind = np.where(x[:, 0] + x[:, 1] * x[:, 2] + random.normal(0, 0.5, 5000) > 0, "yes", "no")
    lines = [",".join([*(f"{value:.4f}" for value in row), label]) for row, label in zip(x, kind, strict=True)]
    path.write_text("\n".join([",".join([*(f"x{column}" for column in range(10)), "kind"]), *lines]) + "\n")
    return path


def _training(path: Path, out: Path, folds: int | None) -> Callable[[], object]:
    def job() -> object:
        settings = TableSettings("kind")
        data = table_data(TableDataset(path, settings), settings, "table")
        return train_model(data, NetworkChoice(), replace(table_defaults(data), folds=folds), out, replace=True)

    return job


if __name__ == "__main__":
    main()
