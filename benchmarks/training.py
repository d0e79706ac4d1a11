"""What training costs beside the notebook's own loop, scikit-learn, skorch and Lightning, and how good it is.

Prints one JSON object. Times are ratios of jobs that take turns in one process, medians with quartiles; Parity
trains with its progress callback, its log and its validation on. skorch and Lightning are left out where they are
not installed. ``--only speed,large,memory,loader,quality`` measures a part.
"""

import functools
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import print_parts, summary, timed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from parity_runtime.tables.csv_file import write_csv
from parity_training import (
    TableDataset,
    TableSettings,
    XORDataset,
    XORSettings,
    table_data,
    train_model,
    train_xor,
)
from parity_training.data.batches import EpochSampler, TensorLoader
from parity_training.data.table import table_defaults
from parity_training.fitting.prepare import NetworkChoice

EPOCHS, SIZE, BATCH, RATE = 200, 5000, 128, 0.03
ROUNDS = 5
BIG = (1_000_000, 30)
LARGE_ROUNDS = 3
SCORED = 10_000  # rows
SMALL_PART = 0.001  # of the rows, for the validation that the others leave out


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(_peak_of_reading(sys.argv[2])))
        return
    warnings.simplefilter("ignore")
    print_parts(__doc__, {"speed": speed, "large": large, "memory": memory, "loader": loader, "quality": quality})


def speed() -> dict[str, Any]:
    """Return how much longer the others take for the notebook's job: 5,000 points, batch 128, 200 epochs."""
    jobs: dict[str, Callable[[], float]] = {"parity": _parity, "notebook": _notebook, "scikit-learn": _sklearn}
    if importlib.util.find_spec("skorch"):
        jobs["skorch"] = _skorch
    if importlib.util.find_spec("lightning"):
        jobs["lightning"] = _lightning
    targets = {
        "notebook": "at least 4",
        "skorch": "at least 6",
        "lightning": "at least 8",
        "scikit-learn": "at least 1.67",
    }
    return _over_parity(jobs, targets, ROUNDS)


def large() -> dict[str, Any]:
    """Return how much longer the others take for an epoch of 1,000,000 x 30, hidden layers of 256, batches of 1024."""
    random = np.random.default_rng(0)
    features = random.standard_normal(BIG, dtype=np.float32)
    labels = (features[:, 0] * features[:, 1] + features[:, 2] > 0).astype(np.int64)
    kinds: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
        "parity": _parity_large,
        "scikit-learn": _sklearn_large,
    }
    if importlib.util.find_spec("skorch"):
        kinds["skorch"] = _skorch_large
    if importlib.util.find_spec("lightning"):
        kinds["lightning"] = _lightning_large
    jobs = {name: functools.partial(kind, features, labels) for name, kind in kinds.items()}
    targets = {"skorch": "at least 1.1", "lightning": "at least 1.1", "scikit-learn": "reported"}
    return {f"1M x 30, {name}": found for name, found in _over_parity(jobs, targets, LARGE_ROUNDS).items()}


def _over_parity(jobs: dict[str, Callable[[], float]], targets: dict[str, str], rounds: int) -> dict[str, Any]:
    """Return how much longer the other jobs take than Parity's; the first round, which imports, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    accuracy: dict[str, float] = {}
    for _ in range(rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            accuracy[name] = job()
            seconds[name].append(time.perf_counter() - start)
    results: dict[str, Any] = {
        "parity's seconds": round(statistics.median(seconds["parity"][1:]), 3),
        "parity's accuracy": accuracy["parity"],
    }
    for name in list(jobs)[1:]:
        ratios = [theirs / ours for theirs, ours in zip(seconds[name][1:], seconds["parity"][1:], strict=True)]
        results[f"{name} over parity"] = summary(ratios) | {"target": targets[name], "accuracy": accuracy[name]}
    return results


def memory() -> dict[str, Any]:
    """Return the peak memory of reading a CSV of 1,000,000 x 30 and training an epoch, above its libraries alone."""
    rows, columns = BIG
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.csv"
        _write_big(path)
        found = json.loads(subprocess.run(
            [sys.executable, __file__, "--read", str(path)], capture_output=True, check=True, text=True
        ).stdout)  # fmt: skip
    data = rows * columns * 4
    ratio = round((found["peak"] - found["idle"]) / data, 2)
    return {"peak memory of reading and an epoch over the data's size": {"ratio": ratio, "target": "at most 2.5"}}


def loader() -> dict[str, Any]:
    """Return the part of an epoch over 1,000,000 x 30 rows that goes into making batches."""
    rows, columns = BIG
    data, target = torch.rand(rows, columns), torch.randint(0, 2, (rows,)).float()
    batches = TensorLoader(data, target, EpochSampler(rows, shuffle=True, seed=0), BATCH, part=torch.arange(rows))
    model = nn.Sequential(nn.Linear(columns, 100), nn.ReLU(), nn.Linear(100, 1))
    optimizer, loss = torch.optim.Adam(model.parameters(), fused=True), nn.BCEWithLogitsLoss()

    def epoch() -> None:
        for features, labels in batches:
            optimizer.zero_grad()
            loss(model(features).squeeze(1), labels).backward()
            optimizer.step()

    def only_batches() -> None:
        for _ in batches:
            pass

    fractions = []
    for _ in range(3):
        whole, part = timed(epoch), timed(only_batches)
        fractions.append(part / whole)
    return {"batches over an epoch": {"ratio": round(statistics.median(fractions), 4), "target": "at most 0.1"}}


def quality() -> dict[str, Any]:
    """Return the scores over 10 stratified splits beside scikit-learn's MLP on standardized columns."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

    results = {}
    for name, load in {"iris": load_iris, "breast cancer": load_breast_cancer, "diabetes": load_diabetes}.items():
        data = load()
        regression = name == "diabetes"
        ours, theirs = zip(
            *(_split_scores(data.data, data.target, seed, regression=regression) for seed in range(10)), strict=True
        )
        mean = statistics.mean(ours), statistics.mean(theirs)
        scores = {"parity": round(mean[0], 4), "scikit-learn": round(mean[1], 4)}
        results[f"{name}, {'RMSE' if regression else 'accuracy'} over scikit-learn's"] = scores | {
            "ratio": round(mean[0] / mean[1], 4), "target": "at most 1.05" if regression else "at least 0.99",
        }  # fmt: skip
    return results


def _split_scores(data: np.ndarray, target: np.ndarray, seed: int, *, regression: bool) -> tuple[float, float]:
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test, train_y, test_y = train_test_split(
        data, target, test_size=0.25, random_state=seed, stratify=None if regression else target
    )
    kind = MLPRegressor if regression else MLPClassifier
    peer = make_pipeline(StandardScaler(), kind(max_iter=2000, random_state=seed)).fit(train, train_y)
    with tempfile.TemporaryDirectory() as folder:
        path, names = Path(folder) / "train.csv", [f"c{index}" for index in range(data.shape[1])]
        rows = ([*map(str, row), str(label)] for row, label in zip(train, train_y, strict=True))
        with path.open("wb") as file:
            write_csv(file, [*names, "target"], rows)
        settings = TableSettings("target", features=tuple(names), seed=seed)  # constant ones as well, as the peer
        problem = table_data(TableDataset(path, settings), settings, "benchmark")
        run = train_model(problem, NetworkChoice(), table_defaults(problem, seed), Path(folder) / "run")
        with torch.no_grad():
            outputs = run.module()(torch.from_numpy(test.astype(np.float32))).numpy()
    if regression:
        return _rmse(outputs[:, 0], test_y), _rmse(peer.predict(test), test_y)
    predicted = outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] >= 0).astype(int)
    return float((predicted == test_y).mean()), float(peer.score(test, test_y))


def _rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    return float(np.sqrt(np.square(predicted - true).mean()))


def _points() -> tuple[XORDataset, XORDataset]:
    return XORDataset(SIZE, seed=1), XORDataset(500, seed=2)


def _parity() -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = train_xor(Path(folder) / "run", XORSettings(size=SIZE, epochs=EPOCHS), on_epoch=lambda _: None)
        return float(json.loads((run.path / "evaluation.json").read_text())["accuracy"])


class Notebook(nn.Module):
    """The notebook's network, its sigmoid included."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.activation_f1 = nn.Linear(2, 4), nn.Tanh()
        self.linear2, self.activation_sig = nn.Linear(4, 1), nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return probabilities, ``[batch, 1]``."""
        probability: torch.Tensor = self.activation_sig(self.linear2(self.activation_f1(self.linear1(x))))
        return probability


def _notebook() -> float:
    train, test = _points()
    model, loss_module = Notebook(), nn.BCELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    loader = DataLoader(train, batch_size=BATCH, shuffle=True)
    device = torch.device("cpu")
    model.train()
    for _ in range(EPOCHS):
        epoch_loss = 0.0
        for data_inputs, data_labels in loader:
            inputs, labels = data_inputs.to(device), data_labels.to(device)
            optimizer.zero_grad()
            predictions = model(inputs).squeeze(dim=1)
            loss = loss_module(predictions, labels.float())
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
    with torch.no_grad():
        return float(((model(test.data)[:, 0] >= 0.5) == test.label).float().mean())


def _sklearn() -> float:
    from sklearn.neural_network import MLPClassifier

    train, test = _points()
    model = MLPClassifier((4,), activation="tanh", solver="sgd", learning_rate_init=RATE, momentum=0, batch_size=BATCH,
                          max_iter=EPOCHS, tol=0, n_iter_no_change=EPOCHS + 1, random_state=0)  # fmt: skip
    model.fit(train.data.numpy(), train.label.numpy())
    return float(model.score(test.data.numpy(), test.label.numpy()))


def _skorch() -> float:
    train, test = _points()
    module = _skorch_fitted(Notebook, nn.BCELoss, train.data, train.label.float(), BATCH, EPOCHS)
    with torch.no_grad():
        return float(((module(test.data)[:, 0] >= 0.5) == test.label).float().mean())


def _skorch_fitted(module: Any, loss: Any, data: Any, labels: Any, batch: int, epochs: int) -> nn.Module:
    from skorch import NeuralNetBinaryClassifier

    net = NeuralNetBinaryClassifier(
        module, criterion=loss, optimizer=_OPTIMIZERS[module], lr=_RATES[module], batch_size=batch, max_epochs=epochs,
        iterator_train__shuffle=True, train_split=None, verbose=0,
    )  # fmt: skip
    net.fit(data, labels)
    fitted: nn.Module = net.module_
    return fitted


def _lightning() -> float:
    train, test = _points()
    net = _lightning_fitted(Notebook, nn.BCELoss(), train, BATCH, EPOCHS)
    with torch.no_grad():
        return float(((net(test.data)[:, 0] >= 0.5) == test.label).float().mean())


def _lightning_fitted(module: Any, loss: nn.Module, data: Any, batch: int, epochs: int) -> nn.Module:
    import logging

    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Lit(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss = module(), loss

        def training_step(self, batch: Any, _: int) -> Any:
            return self.loss(self.net(batch[0]).squeeze(1), batch[1].float())

        def configure_optimizers(self) -> Any:
            return _OPTIMIZERS[module](self.parameters(), lr=_RATES[module])

    model = Lit()
    trainer = lightning.Trainer(max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
                                enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    trainer.fit(model, DataLoader(data, batch_size=batch, shuffle=True))
    fitted: nn.Module = model.net
    return fitted


class Large(nn.Sequential):
    """30-256-256-1, ReLU."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(30, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1))


_OPTIMIZERS: dict[type[nn.Module], Any] = {Notebook: torch.optim.SGD, Large: torch.optim.Adam}
_RATES = {Notebook: RATE, Large: 1e-3}


def _parity_large(features: np.ndarray, labels: np.ndarray) -> float:
    from parity_training.sklearn import ParityClassifier

    model = ParityClassifier((256, 256), epochs=1, batch_size=1024, validation_fraction=SMALL_PART)
    return float(model.fit(features, labels).score(features[:SCORED], labels[:SCORED]))


def _sklearn_large(features: np.ndarray, labels: np.ndarray) -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((256, 256), batch_size=1024, max_iter=1)
    return float(model.fit(features, labels).score(features[:SCORED], labels[:SCORED]))


def _skorch_large(features: np.ndarray, labels: np.ndarray) -> float:
    module = _skorch_fitted(Large, nn.BCEWithLogitsLoss, features, labels.astype(np.float32), 1024, 1)
    return _accuracy(module, features, labels)


def _lightning_large(features: np.ndarray, labels: np.ndarray) -> float:
    data = TensorDataset(torch.from_numpy(features), torch.from_numpy(labels))
    return _accuracy(_lightning_fitted(Large, nn.BCEWithLogitsLoss(), data, 1024, 1), features, labels)


@torch.no_grad()
def _accuracy(module: nn.Module, features: np.ndarray, labels: np.ndarray) -> float:
    found = module(torch.from_numpy(features[:SCORED]))[:, 0] >= 0
    return float((found.numpy() == labels[:SCORED]).mean())


def _write_big(path: Path) -> None:
    rows, columns = BIG
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"c{index}" for index in range(columns)) + ",target\n")
        for _ in range(rows // 10_000):
            block = random.standard_normal((10_000, columns))
            label = (block[:, 0] + block[:, 1] > 0).astype(int)
            np.savetxt(file, np.column_stack([block, label]), fmt=["%.4f"] * columns + ["%d"], delimiter=",")


def _peak_of_reading(path: str) -> dict[str, int]:
    import pyarrow.csv  # noqa: F401 -- libraries that both load are part of an idle process
    from torch.utils.tensorboard import SummaryWriter  # noqa: F401

    idle = _status("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        settings = TableSettings("target")
        problem = table_data(TableDataset(path, settings), settings, "big")
        from dataclasses import replace

        train_model(problem, NetworkChoice(), replace(table_defaults(problem), epochs=1), Path(folder) / "run")
    return {"idle": idle, "peak": _status("VmHWM")}


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


if __name__ == "__main__":
    main()
