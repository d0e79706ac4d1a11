"""The pictures of a run: what was learned from, how it went, and where the classes meet."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.files import write_file
from parity_runtime.jsonfile import parse_json
from parity_runtime.table import Table
from parity_training.figures import BLUE, ORANGE, new_figure, png
from parity_training.run import METRICS, TEST_TABLE, Run
from parity_training.train import XORSettings, xor_datasets

_GRID_POINTS = 400


def plot_run(run: Run) -> list[Path]:
    """Draw samples.png, loss.png and boundary.png into the run's folder and return their paths.

    Raises:
        InputError: the run has not finished.
    """
    module = run.module()  # refuses an unfinished run before anything is drawn
    return [_draw_samples(run), _draw_loss(run), _draw_boundary(run, module)]


def _draw_samples(run: Run) -> Path:
    data = run.recipe.data
    settings = XORSettings(data["size"], data["test_size"], data["std"], seed=run.recipe.training["seed"])
    train, _ = xor_datasets(settings)
    figure, axes = new_figure()
    _scatter(axes, run, train.data.numpy(), train.label.numpy())
    axes.set_title(f"Samples: {len(train)} training points")
    axes.grid(visible=True, alpha=0.3)
    return _save(figure, run.path / "samples.png")


def _draw_loss(run: Run) -> Path:
    text = (run.path / METRICS).read_text(encoding="utf-8")
    lines = [parse_json(line.encode(), str(run.path / METRICS)) for line in text.splitlines()]
    if not lines:
        raise InputError(f"{run.path / METRICS} holds no epochs; train the run again")
    epochs = [line["epoch"] for line in lines]
    figure, axes = new_figure()
    (loss,) = axes.plot(epochs, [line["loss"] for line in lines], color=BLUE, label="loss")
    axes.set(xlabel="epoch", ylabel="mean cross-entropy (nats)", ylim=(0, None))
    right = axes.twinx()
    (accuracy,) = right.plot(epochs, [line["accuracy"] for line in lines], color=ORANGE, label="accuracy")
    right.set(ylabel="accuracy on the training rows", ylim=(0, 1.02))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(handles=[loss, accuracy], loc="center right")
    axes.set_title("Training")
    return _save(figure, run.path / "loss.png")


def _draw_boundary(run: Run, module: torch.nn.Module) -> Path:
    contract = run.recipe.contract
    grid = np.linspace(-0.5, 1.5, _GRID_POINTS, dtype=np.float32)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)  # [grid * grid, 2]
    with torch.no_grad():
        logits = module(torch.from_numpy(points)).numpy().reshape(_GRID_POINTS, _GRID_POINTS)
    probability = 1 / (1 + np.exp(-logits))
    figure, axes = new_figure()
    colors = LinearSegmentedColormap.from_list("classes", [BLUE, "white", ORANGE])
    extent = (-0.5, 1.5, -0.5, 1.5)
    shown = axes.imshow(probability, colors, origin="lower", extent=extent, vmin=0, vmax=1, interpolation="bilinear")
    axes.contour(grid, grid, logits, levels=[contract.logit_threshold], colors="#333", linewidths=1)
    figure.colorbar(shown, ax=axes, label=f"probability of class {contract.positive}", shrink=0.8)
    _scatter(axes, run, *_test_points(run))
    axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5))
    axes.set_title("Decision boundary and test points")
    return _save(figure, run.path / "boundary.png")


def _test_points(run: Run) -> tuple[NDArray[Any], NDArray[Any]]:
    contract, path = run.recipe.contract, run.path / TEST_TABLE
    with path.open(encoding="utf-8", newline="") as file:
        table = Table.read_csv(file, str(path))
    return table.features(contract.features), table.numbers(contract.targets[0]).astype(np.int64)


def _scatter(axes: Axes, run: Run, data: NDArray[Any], label: NDArray[Any]) -> None:
    contract = run.recipe.contract
    for index, color in enumerate((BLUE, ORANGE)):
        rows = data[label == index]
        axes.scatter(rows[:, 0], rows[:, 1], s=14, color=color, edgecolor="#333", linewidth=0.4,
                     label=f"class {contract.classes[index]}")  # fmt: skip
    axes.set(xlabel=contract.features[0].name, ylabel=contract.features[1].name, aspect="equal")
    axes.legend(loc="upper right", framealpha=0.9)


def _save(figure: Figure, path: Path) -> Path:
    write_file(path, png(figure))
    return path
