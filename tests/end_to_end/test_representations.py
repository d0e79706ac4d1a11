"""What objects say of themselves: one line, whatever they hold."""

import pickle
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from parity_export import OutputSpec, source_from_module
from parity_runtime import Package, Predictor, verify
from parity_training import Run, TableDataset, TableSettings, XORDataset, XORSettings, data_loader, table_data, xor_data
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.stop_signals import StopRequest

DATA = Path(__file__).parent.parent / "data"


def test_a_predictor_says_what_it_answers_with_and_whether_it_still_does() -> None:
    path = str(DATA / "xor_certified")
    predictor = Predictor(path, certified=True)
    assert repr(predictor) == f"Predictor({path!r}, binary, 2 features, cpu, certified)"
    assert repr(pickle.loads(pickle.dumps(predictor))) == repr(predictor)
    predictor.close()
    assert repr(predictor) == f"Predictor({path!r}, binary, 2 features, cpu, certified, closed)"
    assert repr(Predictor(DATA / "series")) == f"Predictor({str(DATA / 'series')!r}, tensors, 1 input, cpu)"


def test_packages_and_what_is_found_in_them_are_one_line() -> None:
    package, found = Package.open(DATA / "rent"), verify(DATA / "rent")
    assert repr(package) == f"Package({str(DATA / 'rent')!r}, {len(package.entries)} files, id {package.id[:12]})"
    assert repr(package.contract) == "ModelContract('rent', regression, 3 features, 2 targets)"
    assert repr(found).startswith(f"Verification(id {package.id[:12]}, {found.files} files, ")


@pytest.fixture(scope="module")
def objects(xor_run: Run) -> dict[str, Any]:
    settings = TableSettings("label")
    dataset = TableDataset(DATA / "test.csv", settings)
    training_data = table_data(dataset, settings, "points")
    model = nn.Linear(2, 1)
    loader = data_loader(XORDataset(500, seed=1), 128, shuffle=True)
    loop = TrainingLoop(model, loader, torch.optim.SGD(model.parameters()), nn.MSELoss(), 20)  # type: ignore[arg-type]
    stop = StopRequest()
    stop.signal_number = signal.SIGTERM
    return {
        f"Run({str(xor_run.path)!r}, XORClassifier, binary, 2 features)": xor_run,
        "Recipe(XORClassifier, binary, 2 features)": xor_run.recipe,
        "XORDataset(200 points, std 0.5)": XORDataset(200, 0.5),
        "TableDataset(binary, 2 features, 500 rows)": dataset,
        "TrainingData(binary, 2 features, 500 rows: 400 train, 50 validation, 50 test)": training_data,
        "Split(400 train, 50 validation, 50 test)": training_data.split,
        "TrainingData(binary, 2 features, 60 rows: 30 train, 20 validation, 10 test)": xor_data(
            XORSettings(size=30, validation_size=20, test_size=10)
        ),
        "TensorLoader(4 batches of 128, 500 rows)": loader,
        "EpochSampler(500 rows, shuffled, seed 0, epoch 0)": loader.sampler,
        "TrainingLoop(Linear, SGD, epoch 0 of 20)": loop,
        "Progress(epoch=0, step=0, best_loss=inf, best_epoch=0)": loop.progress,
        "StopRequest(none)": StopRequest(),
        "StopRequest(SIGTERM)": stop,
        "ModelSource('line', Linear, regression, 2 features)": source_from_module(
            model, ["x: float32[batch, 2]"], OutputSpec("regression"), "line"
        ),
        "OutputSpec(binary, output='logits', classes=('no', 'yes'))": OutputSpec("binary", "logits", ("no", "yes")),
    }


def test_what_training_and_export_hand_over_is_one_line(objects: dict[str, Any]) -> None:
    for said, value in objects.items():
        assert repr(value) == said
