"""Networks that are trained at once: each learns what it would alone, and their average, or the best, is kept."""

import copy
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from parity_runtime import FormatError, InputError, Predictor
from parity_training import (
    MLP,
    NetworkChoice,
    Run,
    TrainSettings,
    XORClassifier,
    XORSettings,
    train_model,
    weights_id,
    xor_data,
)
from parity_training.fitting.prepare import make_recipe, prepare
from parity_training.networks.network_stack import BatchedNetworks, SideBySide, stack_networks
from parity_training.networks.table_network import TableNetwork
from tests.soak import sampled
from tests.training.tables import write_table
from tests.warm_process import WarmProcess

TABLES = [
    {"kind": "one-hot", "size": 5, "missing": True},
    {"kind": "embedding", "size": 40, "dimension": 4, "missing": True},
    {"kind": "cyclic", "size": 8},
]


def table_network() -> TableNetwork:
    return TableNetwork(MLP(3 + 1 + 5 + 4 + 2, 2, [6]), 3, impute=True, indicators=[1], tables=TABLES, num_targets=2)


INPUTS = {
    "xor": (XORClassifier, (torch.randn(9, 2),)),
    "norm": (lambda: MLP(5, 3, [8, 6], batch_norm=True, activation="GELU"), (torch.randn(9, 5),)),
    "table": (table_network, (torch.randn(9, 3), torch.randint(1, 8, (9, 3)))),
}


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [
        *((name, optimizer) for name in ("xor", "table") for optimizer in ("SGD", "Adam", "AdamW", "RMSprop")),
        ("norm", "SGD"),  # the gradient of a bias before a normalization is rounding alone, which Adam makes a step of
    ],
)
def test_each_network_takes_the_steps_that_it_would_take_alone(name: str, optimizer: str) -> None:
    make, inputs = INPUTS[name]
    inputs = tuple(one.clamp(max=4) if one.dtype == torch.int64 else one for one in inputs)
    alone = [make() for _ in range(3)]
    together = stack_networks([_copied(network) for network in alone])
    assert isinstance(together, BatchedNetworks)
    options = {"lr": 0.01, "weight_decay": 0.01}
    for network in alone:
        _train(network, getattr(torch.optim, optimizer)(network.parameters(), **options), inputs, None)
    _train(together, getattr(torch.optim, optimizer)(together.parameters(), **options), inputs, together.count)
    for number, network in enumerate(alone):
        state = together.member_state(number)
        assert list(state) == list(network.state_dict())
        for key, expected in network.state_dict().items():
            assert torch.allclose(state[key].float(), expected.float(), atol=2e-5), key


def _copied(network: nn.Module) -> nn.Module:
    return copy.deepcopy(network)


def _train(
    model: nn.Module, optimizer: torch.optim.Optimizer, inputs: tuple[torch.Tensor, ...], count: int | None
) -> None:
    model.train()
    torch.manual_seed(0)
    for _ in range(5):
        optimizer.zero_grad()
        outputs = model(*inputs)
        loss = (outputs - 1).square().mean() * (count or 1)
        loss.backward()
        if count is None:
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        else:
            model.clip_gradients(0.5)  # type: ignore[operator]
        optimizer.step()


def test_networks_that_cannot_be_stacked_are_asked_one_after_the_other() -> None:
    networks = [MLP(4, 2, activation="PReLU") for _ in range(3)]
    stack = stack_networks(networks)
    assert isinstance(stack, SideBySide) and stack(torch.zeros(5, 4)).shape == (5, 6)


def _frozen() -> nn.Module:
    first = nn.Linear(5, 6)
    first.weight.requires_grad_(False)
    return nn.Sequential(first, nn.Tanh(), nn.Linear(6, 2))


def _tied() -> nn.Module:
    twice = nn.Linear(5, 5)
    return nn.Sequential(twice, nn.Tanh(), twice, nn.Linear(5, 2))


def _hooked() -> nn.Module:
    layer = nn.Linear(5, 2)
    layer.register_forward_hook(lambda _module, _inputs, output: output * 0.5)
    return nn.Sequential(layer)


def _gradient_hooked() -> nn.Module:
    layer = nn.Linear(5, 2)
    layer.weight.register_hook(lambda gradient: gradient * 0.5)
    return nn.Sequential(layer)


ODD = {
    "normalized first": lambda: nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 2)),
    "normalized without weights": lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6, affine=False)),
    "normalized without a momentum": lambda: nn.Sequential(nn.Linear(5, 2), nn.BatchNorm1d(2, momentum=None)),
    "weight norm": lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(5, 2))),
    "spectral norm": lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 2))),
    "frozen": _frozen,
    "tied": _tied,
    "hooked": _hooked,
    "gradient hooked": _gradient_hooked,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("name", ODD)
def test_a_network_of_ones_own_takes_the_steps_that_it_would_take_alone(name: str) -> None:
    torch.manual_seed(0)
    alone = [ODD[name]() for _ in range(3)]
    torch.manual_seed(0)
    together = stack_networks([ODD[name]() for _ in range(3)])
    rows = (torch.randn(9, 5),)
    for network in alone:
        _train(network, torch.optim.SGD(network.parameters(), lr=0.1), rows, None)
    _train(together, torch.optim.SGD(together.parameters(), lr=0.1), rows, together.count)
    for number, network in enumerate(alone):
        state = together.member_state(number)
        assert state.keys() == network.state_dict().keys()
        for key, expected in network.state_dict().items():
            assert torch.allclose(state[key].float(), expected.float(), atol=2e-5), key


def test_networks_of_several_shapes_are_asked_one_after_the_other() -> None:
    networks = [nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2)) for width in (3, 5)]
    assert stack_networks(networks)(torch.zeros(5, 4)).shape == (5, 4)


def test_a_stack_of_one_seed_learns_what_a_run_alone_learns(tmp_path: Path) -> None:
    settings = XORSettings(size=300, epochs=3)
    data, choice = xor_data(settings), NetworkChoice("XORClassifier", {})
    alone = train_model(data, choice, settings.training(), tmp_path / "one")
    several = replace(settings.training(), restarts=3)
    training = prepare(data, make_recipe(data, choice, several), None, several)
    torch.manual_seed(settings.seed)
    training = prepare(data, make_recipe(data, choice, several), None, several)
    list(training.epochs())
    first = training.model.stack.member_state(0)  # type: ignore[union-attr]
    for key, expected in alone.state_dict().items():
        assert torch.allclose(first[key], expected, atol=1e-6)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=400).round(4)
    town = random.integers(0, 40, 400)
    return write_table(
        tmp_path_factory.mktemp("mixed") / "t.csv",
        {"x": x, "town": [f"t{one}" for one in town], "kind": np.where(x + town / 20 > 1, "high", "low")},
    )


@pytest.mark.slow
@pytest.mark.parametrize("combine", sampled(["average", "best"], {"average"}))
def test_a_run_of_several_goes_the_whole_line(parity, mixed: Path, tmp_path: Path, combine: str) -> None:
    answer = parity(
        *("train", mixed, "--target", "kind", "--restarts", 4, "--combine", combine, "--epochs", 15),
        *("--out", tmp_path / "run", "--clip-norm", 1),
    )
    assert answer.code == 0, answer.err
    run = Run.open(tmp_path / "run")
    assert run.recipe.members == (4 if combine == "average" else 1)
    exported = parity("export", run.path, tmp_path / "p", "--no-plots", "--effort", "quick", "--certified")
    assert exported.code == 0, exported.err
    evaluated = json.loads(parity("evaluate", tmp_path / "p", run.path / "test.csv", "--json").out)
    trained = json.loads((run.path / "evaluation.json").read_text())
    assert evaluated["log_loss"] == pytest.approx(trained["log_loss"], abs=1e-6)
    assert Predictor(tmp_path / "p").contract.classes == ("high", "low")


def test_the_average_is_the_mean_of_the_logits(tmp_path: Path) -> None:
    settings = XORSettings(size=300, epochs=2)
    data = xor_data(settings)
    training = replace(settings.training(), restarts=3)
    run = train_model(data, NetworkChoice("XORClassifier", {}), training, tmp_path / "run")
    module, points = run.module(), torch.randn(7, 2)
    each = torch.stack([network(points) for network in module.networks])  # type: ignore[union-attr]
    assert torch.allclose(module(points), each.mean(dim=0), atol=1e-6)
    assert len({round(one, 6) for one in each[:, 0, 0].tolist()}) == 3


@pytest.mark.parametrize("combine", ["average", "best"])
def test_validation_rows_see_the_network_that_is_kept_and_an_average_takes_their_memory_once(combine: str) -> None:
    data, choice = xor_data(XORSettings(size=60)), NetworkChoice("XORClassifier", {})
    settings = TrainSettings(epochs=1, restarts=5, combine=combine)  # type: ignore[arg-type]
    training = prepare(data, make_recipe(data, choice, settings), None, settings)
    list(training.epochs())
    restarts, points = training.model.eval(), torch.randn(7, 2)
    with torch.no_grad():
        outputs = restarts(points)
    assert outputs.shape == ((7, 1) if combine == "average" else (7, 5))
    seen = restarts.kept_outputs(outputs, lambda found: -float(found.sum()))  # type: ignore[operator]
    kept = training.kept.eval()
    kept.load_state_dict(restarts.kept_state(restarts.snapshot()))  # type: ignore[operator]
    assert torch.allclose(kept(points), seen, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"restarts": 0}, "restarts is 0; it must be at least 1"),
        ({"restarts": 2, "optimizer": "LBFGS"}, "which LBFGS would mix; choose"),
    ],
)
def test_restarts_that_cannot_be_are_refused(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        chosen = TrainSettings(**settings)  # type: ignore[arg-type]
        train_model(xor_data(XORSettings(size=50)), NetworkChoice(), chosen, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_best_needs_validation_rows(tmp_path: Path) -> None:
    data = xor_data(XORSettings(size=50, validation_size=0))
    with pytest.raises(InputError, match="chooses by validation rows, and there are none"):
        train_model(data, NetworkChoice(), TrainSettings(restarts=2, combine="best"), tmp_path / "run")


@pytest.mark.slow
def test_the_average_of_rates_is_what_the_validation_rows_have_seen(parity, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=300).round(4)
    columns = {"x": x, "z": random.normal(size=300).round(4), "calls": random.poisson(np.exp(x))}
    table = write_table(tmp_path / "t.csv", columns)
    answer = parity(
        *("train", table, "--target", "calls", "--loss", "poisson", "--restarts", 3, "--epochs", 2, "--batch-size", 64),
        *("--validation", 0.5, "--test", 0, "--seed", 0, "--out", tmp_path / "run"),
    )
    assert answer.code == 0, answer.err
    module, rows = Run.open(tmp_path / "run").module(), torch.randn(20, 2) * 3
    (parts,) = module.parts(rows, None)  # type: ignore[operator]
    each = torch.stack([module.target(body(parts)) for body in module.body])  # type: ignore[operator,union-attr]
    assert torch.allclose(module(rows), each.mean(dim=0), rtol=1e-5)
    epochs = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best = min(epochs, key=lambda epoch: epoch["validation_loss"])
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation["part"] == "validation" and evaluation["rmse"] == pytest.approx(best["rmse"], rel=1e-5)
    assert parity("export", tmp_path / "run", tmp_path / "p", "--no-plots", "--effort", "quick").code == 0


@pytest.mark.parametrize("members", [0, 2, True, "8", 10**9, 2.5])
def test_a_recipe_asks_for_no_odd_number_of_networks(tmp_path: Path, members: object) -> None:
    settings = XORSettings(size=60, epochs=1)
    run = train_model(xor_data(settings), NetworkChoice("XORClassifier", {}), settings.training(), tmp_path / "run")
    path = run.path / "recipe.json"
    recipe = json.loads(path.read_text())
    recipe["network"]["members"] = members
    path.write_text(json.dumps(recipe))
    with pytest.raises(FormatError, match="members is .* the training leaves 1"):
        Run.open(run.path)


@pytest.mark.slow
@pytest.mark.parametrize("combine", sampled(["average", "best"], {"best"}))
def test_a_killed_training_of_several_ends_with_the_weights_of_an_uninterrupted_one(
    warm: WarmProcess, mixed: Path, tmp_path: Path, combine: str
) -> None:
    def command(out: Path) -> list[object]:
        return ["train", mixed, "--target", "kind", "--restarts", 4, "--combine", combine, "--epochs", 80,
                "--patience", 80, "--batch-size", 8, "--out", out]  # fmt: skip

    assert warm.run(command(tmp_path / "whole")).returncode == 0
    out = tmp_path / "run"
    process = warm.start(command(out))
    checkpoint = out.with_name("run.unfinished") / "checkpoint.previous.pt"
    give_up = time.monotonic() + 60
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert checkpoint.exists() and not out.exists()
    resumed = warm.run(["train", mixed, "--out", out, "--resume"])
    assert resumed.returncode == 0, resumed.err
    assert weights_id(Run.open(out).state_dict()) == weights_id(Run.open(tmp_path / "whole").state_dict())
