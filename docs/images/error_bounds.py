"""Draws error_bounds.png: what an error bound says of one answer, and of 360 answers of a network of nine layers.

python docs/images/error_bounds.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import Predictor

mpl.use("agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
BLUE, ORANGE, GREY, RED = "#1f77b4", "#e07b00", "#7f7f7f", "#c03030"
Floats = NDArray[np.floating]


def trained() -> tuple[nn.Module, NDArray[np.float32]]:
    """Return a network of nine layers trained on the digits, and the 360 images that it did not see, ``[360, 64]``."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    layers = [part for _ in range(8) for part in (nn.Linear(64, 64), nn.ReLU())]
    module = nn.Sequential(*layers, nn.Linear(64, 10))
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    x, y = (torch.from_numpy(part[order]) for part in ((data.data / 16).astype(np.float32), data.target))
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(60):
        for batch in torch.randperm(len(x) - 360).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
            optimizer.step()
    return module.eval(), x[-360:].numpy()


def measured(module: nn.Module, rows: NDArray[np.float32]) -> tuple[Floats, Floats, dict[str, Floats]]:
    """Return how far each row's first class leads, by what two runtimes differ, and the bounds, each ``[rows]``."""
    meaning = OutputSpec("multiclass", output="logits", classes=tuple("0123456789"))
    source = source_from_module(module, ["pixels: float32[batch, 64]"], meaning, "digits")
    bounds = {}
    with TemporaryDirectory() as folder:
        for kind in ("fast", "tight"):
            path = export_package(source, Path(folder) / kind, options=ExportOptions(certified=kind)).path
            outputs = Predictor(path, certified=True).run({"pixels": rows})
            bounds[kind] = outputs["error_bound"].max(axis=1)
            logits = outputs["logits"]
    with torch.no_grad():
        observed = np.abs(module(torch.from_numpy(rows)).numpy() - logits).max(axis=1)
    ordered = np.sort(logits, axis=1)
    return ordered[:, -1] - ordered[:, -2], observed, bounds


def one_answer(axes: plt.Axes) -> None:
    """Draw two answers of a binary classifier with their bounds beside the threshold."""
    for height, centre, colour, said in (
        (1.0, 3.2, BLUE, "certified: no runtime can answer no"),
        (0.0, 1.2, RED, "not certified: the threshold is too near"),
    ):
        axes.plot([centre - 2, centre + 2], [height] * 2, color=colour, linewidth=14, alpha=0.15, solid_capstyle="butt")
        axes.plot([centre - 1, centre + 1], [height] * 2, color=colour, linewidth=14, alpha=0.35, solid_capstyle="butt")
        axes.plot(centre, height, "o", color=colour)
        axes.text(centre - 0.95, height - 0.25, said, color=colour)
    for said, tip, place in (
        ("the exact answer\nis in here (one bound)", (2.5, 1.08), (0.2, 1.4)),
        ("the answer\nat hand", (3.2, 1.05), (2.7, 1.4)),
        ("every other answer\nis in here (two bounds)", (4.8, 1.08), (4.2, 1.4)),
    ):
        axes.annotate(said, tip, place, fontsize=8, arrowprops={"arrowstyle": "-", "linewidth": 0.6})
    axes.axvline(0, color="black", linewidth=1)
    axes.text(-0.08, 0.5, "no", ha="right")
    axes.text(0.08, 0.5, "yes", ha="left")
    axes.set(xlim=(-1.7, 6.9), ylim=(-0.6, 1.8), xlabel="logit; the line is the threshold", yticks=[], xticks=[])
    axes.set_title("One answer", fontsize=10)


def many_answers(axes: plt.Axes, margin: Floats, observed: Floats, bounds: dict[str, Floats]) -> None:
    """Draw bounds and observed differences of many rows over how clear each row's label is."""
    edge = np.array([0.1, 40])
    axes.fill_between(edge, 1e-8, edge / 4, color=BLUE, alpha=0.07, linewidth=0)
    axes.plot(edge, edge / 4, color="black", linewidth=0.8)
    axes.text(0.12, 3e-4, "below the line:\ncertified", fontsize=9)
    axes.scatter(margin, bounds["fast"], s=6, color=ORANGE, label="proved bound, --certified fast")
    axes.scatter(margin, bounds["tight"], s=6, color=BLUE, label="proved bound, --certified tight")
    axes.scatter(margin, np.maximum(observed, 1e-7), s=6, color=GREY, label="PyTorch and onnxruntime, observed")
    axes.set(xscale="log", yscale="log", xlim=edge, ylim=(1e-7, 20), xlabel="how far the first class leads the second")
    axes.set_ylabel("difference between two runtimes")
    axes.set_title("360 answers of a network of nine layers", fontsize=10)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def main() -> None:
    """Write the picture beside this file."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    one_answer(axes[0])
    many_answers(axes[1], *measured(*trained()))
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    axes[0].spines["left"].set_visible(False)
    figure.savefig(HERE / "error_bounds.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
