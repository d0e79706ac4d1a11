"""Written gradients are those of autograd, bit for bit, and stand aside wherever a network is more than a stack."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from parity_training import (
    MLP,
    NetworkChoice,
    TableDataset,
    TableNetwork,
    TableSettings,
    XORClassifier,
    XORSettings,
    table_data,
    xor_data,
)
from parity_training.data.problem import Problem
from parity_training.fitting.checkpoint import Checkpoints, restore
from parity_training.fitting.derivatives import DERIVATIVES
from parity_training.fitting.loop import TrainingLoop
from parity_training.fitting.loss_gradients import loss_gradient
from parity_training.fitting.objectives import LOSSES, Objective
from parity_training.fitting.prepare import make_recipe, prepare
from parity_training.fitting.written_gradients import WrittenGradients
from parity_training.networks.linear_stack import linear_stack
from tests.training.tables import classes_table, prices_table

CPU = torch.device("cpu")
LOGISTIC = Objective("BCEWithLogitsLoss")
NUMBERS = {nn.CELU: 0.7, nn.ELU: 0.7, nn.LeakyReLU: 0.2}
ACTIVATIONS = [kind for kind in DERIVATIVES if kind.__module__.startswith("torch.")]
OBJECTIVES = [
    Objective(name, quantile=0.9 if name.startswith("quantile") else None) for name in itertools.chain(*LOSSES.values())
]


def activation(kind: type[nn.Module]) -> nn.Module:
    return kind(NUMBERS[kind]) if kind in NUMBERS else kind()


def stack(kind: type[nn.Module] = nn.Tanh, outputs: int = 1, width: int = 7) -> nn.Sequential:
    torch.manual_seed(0)
    middle, last = nn.Linear(width, 6, bias=False), nn.Linear(6, outputs)
    layers = (nn.Linear(5, width), activation(kind), middle, activation(kind), last)
    return nn.Sequential(nn.Sequential(*layers[:2]), *layers[2:])


def targets_of(objective: Objective, outputs: int = 4, rows: int = 33) -> Tensor:
    torch.manual_seed(1)
    if objective.name == "CrossEntropyLoss":
        return torch.randint(0, outputs, (rows,))
    return (torch.rand(rows, outputs) > 0.5).float().squeeze(-1)


def by_autograd(network: nn.Module, objective: Objective, inputs: list[Tensor], targets: Tensor) -> list[Tensor]:
    network.zero_grad()
    loss = objective.loss_function(CPU)(network(*inputs), targets)
    loss.backward()  # type: ignore[no-untyped-call]
    return [loss.detach(), *(parameter.grad for parameter in network.parameters())]  # type: ignore[list-item]


def written(network: nn.Module, objective: Objective, inputs: list[Tensor], targets: Tensor) -> list[Tensor]:
    gradients = WrittenGradients.of(network, objective)
    assert gradients
    kept, found = gradients(inputs, targets)
    assert not any(one.requires_grad for one in (kept, *found))  # else each step would hold the one before
    return [gradients.loss.total([kept], [targets]) / len(targets), *found]


def same(network: nn.Module, objective: Objective, inputs: list[Tensor], targets: Tensor) -> bool:
    found, expected = (job(network, objective, inputs, targets) for job in (written, by_autograd))
    torch.testing.assert_close(found[0].float(), expected[0], rtol=1e-6, atol=0)  # summed in float64
    return all(map(torch.equal, found[1:], expected[1:]))


@pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_each_activation(kind: type[nn.Module]) -> None:
    assert same(stack(kind), LOGISTIC, [3 * torch.randn(33, 5)], targets_of(LOGISTIC, 1))


def test_an_activation_that_stands_there_twice() -> None:
    tanh = nn.Tanh()
    network = nn.Sequential(nn.Linear(5, 4), tanh, nn.Linear(4, 3), tanh, nn.Linear(3, 1))
    assert same(network, LOGISTIC, [torch.randn(33, 5)], targets_of(LOGISTIC, 1))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.text)
@pytest.mark.parametrize("outputs", [1, 4])
def test_each_loss(objective: Objective, outputs: int) -> None:
    network = nn.Sequential(stack(outputs=outputs), nn.Softplus())  # rates are positive
    assert same(network, objective, [torch.randn(33, 5)], targets_of(objective, outputs))


@pytest.mark.parametrize(
    "objective",
    [
        Objective("BCEWithLogitsLoss", torch.tensor([0.4, 1.6])),
        Objective("CrossEntropyLoss", torch.tensor([0.4, 1.6, 1.0, 2.0])),
        Objective("MSELoss", scale=torch.tensor([1.0, 2.0, 3.0, 4.0])),
        Objective("CrossEntropyLoss", mean_weight=0.7),
    ],
    ids=["two classes", "several classes", "targets", "rows"],
)
def test_losses_that_weigh(objective: Objective) -> None:
    outputs = 1 if objective.name == "BCEWithLogitsLoss" else 4
    weights = None if objective.mean_weight is None else torch.rand(33)
    targets = objective.prepare(targets_of(objective, outputs), weights)
    assert same(stack(outputs=outputs), objective, [torch.randn(33, 5)], targets)


@pytest.mark.parametrize("kind", ACTIVATIONS, ids=lambda kind: kind.__name__)
def test_activations_by_differences(kind: type[nn.Module]) -> None:
    check_by_differences(stack(kind, width=1).double(), LOGISTIC, 1)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.text)
def test_losses_by_differences(objective: Objective) -> None:
    check_by_differences(nn.Sequential(stack(outputs=4, width=1), nn.Softplus()).double(), objective, 4)


def check_by_differences(network: nn.Module, objective: Objective, outputs: int) -> None:
    """Compare with differences in float64, by torch's gradcheck."""
    layers = [layer for layer in network.modules() if not isinstance(layer, nn.Sequential)]
    gradients = WrittenGradients(network, layers, loss_gradient(objective, CPU))
    targets = targets_of(objective, outputs, rows=3)
    inputs = torch.randn(3, 5, dtype=torch.float64)

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *_: Tensor) -> Tensor:
            true = targets if targets.dtype == torch.int64 else targets.double()
            kept, ctx.found = gradients([inputs], true)
            return gradients.loss.total([kept], [true]) / len(targets)

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Any:
            return tuple(gradient * found for found in ctx.found)

    assert torch.autograd.gradcheck(Loss.apply, tuple(network.parameters()))


def table_network(**settings: Any) -> TableNetwork:
    tables = [{"kind": "one-hot", "size": 5, "missing": True}]
    network = TableNetwork(MLP(3 + 5, 2, hidden=[6]), num_features=3, tables=tables, **settings)
    scales = (torch.ones(2), torch.full((2,), 3.0)) if settings.get("num_targets") else ()
    network.fit(torch.ones(3), torch.full((3,), 2.0), *scales)
    return network


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        ({}, "CrossEntropyLoss"),
        ({"calibrated": True}, "CrossEntropyLoss"),
        ({"num_targets": 2}, "MSELoss"),
        ({"num_targets": 2, "link": "log"}, "PoissonNLLLoss"),
    ],
    ids=["classes", "calibrated", "values", "counts"],
)
def test_networks_of_tables(settings: dict[str, Any], loss: str) -> None:
    network, objective = table_network(**settings).eval(), Objective(loss)
    rows = [torch.randn(20, 3), torch.randint(0, 5, (20, 1))]
    assert same(network, objective, rows, targets_of(objective, 2, 20))


class Own(nn.Linear):
    """Whose forward may be anything."""


def hooked(add: Callable[[nn.Sequential], object]) -> nn.Module:
    network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    add(network)
    return network


def tied() -> nn.Module:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(2, 1))


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(Own(2, 3), nn.Tanh(), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.1), nn.Linear(3, 1)),
        nn.Sequential(nn.Linear(2, 3), nn.PReLU(), nn.Linear(3, 1)),
        nn.Sequential(nn.Conv1d(1, 1, 1)),
        nn.Sequential(nn.Tanh()),
        nn.Sequential(nn.Linear(2, 1).double()),
        nn.Sequential(nn.Linear(2, 3), nn.SiLU(inplace=True), nn.Linear(3, 1)),
        nn.Sequential(weight_norm(nn.Linear(2, 1))),
        MLP(2, 1, batch_norm=True),
        tied(),
        hooked(lambda network: network.register_forward_hook(lambda *_: None)),
        hooked(lambda network: network[1].register_forward_pre_hook(lambda *_: None)),
        hooked(lambda network: network[0].register_full_backward_hook(lambda *_: None)),
        hooked(lambda network: network[0].weight.register_hook(lambda gradient: gradient)),
        hooked(lambda network: network[0].weight.register_post_accumulate_grad_hook(lambda _: None)),
        hooked(lambda network: network[0].weight.requires_grad_(False)),
        hooked(lambda network: setattr(network, "forward", lambda features: features)),
    ],
    ids=lambda network: type(network).__name__,
)
def test_anything_else_is_left_to_autograd(network: nn.Module) -> None:
    assert linear_stack(network, DERIVATIVES) is None


def test_torch_may_be_asked_to_watch() -> None:
    network = XORClassifier()
    assert WrittenGradients.of(network, LOGISTIC)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        assert WrittenGradients.of(network, LOGISTIC) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert WrittenGradients.of(network, LOGISTIC) is None
    hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert WrittenGradients.of(network, LOGISTIC) is None
    finally:
        hook.remove()


def begun(problem: Problem, choice: NetworkChoice, settings: Any) -> TrainingLoop:
    torch.manual_seed(0)
    training = prepare(problem, make_recipe(problem, choice, settings), None, settings)
    assert training.gradients
    return training


def trained(problem: Problem, choice: NetworkChoice, settings: Any, *, write: bool) -> tuple[TrainingLoop, list[Any]]:
    training = begun(problem, choice, settings)
    if not write:
        training.objective = None
    return training, list(training.epochs())


def learns_alike(problem: Problem, choice: NetworkChoice, settings: Any) -> bool:
    """Whether weights and what validation says of them are the same to the bit; losses are added up otherwise."""
    (one, epochs), (two, others) = (trained(problem, choice, settings, write=write) for write in (True, False))
    assert [epoch.loss for epoch in epochs] == pytest.approx([epoch.loss for epoch in others], rel=1e-6)
    epochs, others = ([replace(epoch, loss=0.0) for epoch in found] for found in (epochs, others))
    weights = zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True)
    return epochs == others and all(torch.equal(*pair) for pair in weights)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"optimizer_arguments": {"momentum": 0.9}, "clip_norm": 0.1},
        {"optimizer": "Adam", "learning_rate": 0.01, "loss": "BCELoss"},
        {"scheduler": "ExponentialLR", "scheduler_arguments": {"gamma": 0.7}},
    ],
    ids=["descent", "momentum", "Adam", "scheduler"],
)
def test_a_training_gives_the_weights_that_autograd_gives(changed: dict[str, Any]) -> None:
    settings = XORSettings(size=300, epochs=3)
    assert learns_alike(xor_data(settings), NetworkChoice("XORClassifier", {}), replace(settings.training(), **changed))


def test_tables_too(tmp_path: Path) -> None:
    for table, target in ((classes_table, "kind"), (prices_table, "price")):
        chosen = TableSettings(target)
        problem = table_data(TableDataset(table(tmp_path / f"{target}.csv", rows=90), chosen), chosen, target)
        settings = replace(XORSettings(epochs=3).training(), optimizer="AdamW")
        assert learns_alike(problem, NetworkChoice("MLP", {"hidden": [8], "activation": "GELU"}), settings)


def test_a_hook_that_comes_between_epochs_is_called() -> None:
    settings = XORSettings(size=300, epochs=2).training()
    problem, calls = xor_data(XORSettings(size=300)), []
    training = prepare(problem, make_recipe(problem, NetworkChoice("XORClassifier", {}), settings), None, settings)
    for _ in training.epochs():
        training.model.register_forward_hook(lambda module, *_: calls.append(module.training))
    assert calls.count(True) == len(training.loader)


def test_a_stop_in_the_middle_of_an_epoch_changes_nothing(tmp_path: Path) -> None:
    settings = XORSettings(size=5000, epochs=2)
    problem, choice = xor_data(settings), NetworkChoice("XORClassifier", {})
    whole, epochs = trained(problem, choice, settings.training(), write=True)
    stopped = begun(problem, choice, settings.training())
    stopped.after_step = lambda: setattr(stopped.stop, "signal_number", 15)
    assert not list(stopped.epochs())
    assert 0 < stopped.progress.step < len(stopped.loader)
    Checkpoints(tmp_path, stopped).save()
    resumed = begun(problem, choice, settings.training())
    restore(tmp_path, resumed)
    assert list(resumed.epochs()) == epochs
    weights = zip(resumed.model.parameters(), whole.model.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in weights)


def test_small_steps_take_one_thread_and_give_the_others_back() -> None:
    settings, threads = XORSettings(size=300, epochs=1), []
    training = begun(xor_data(settings), NetworkChoice("XORClassifier", {}), settings.training())
    training.after_step = lambda: threads.append(torch.get_num_threads())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert len(list(training.epochs())) == 1
        assert threads == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
