"""Draws log_sigmoid.png: one layer, answered by PyTorch and by the ONNX file that torch.onnx.export makes of it.

python docs/images/log_sigmoid.py
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import onnxruntime
import torch
from torch import nn

mpl.use("agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent


def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, PyTorch's answers and the exported file's, each float32 ``[n]``."""
    x = np.linspace(-30, 0, 3001, dtype=np.float32)
    program = torch.onnx.export(nn.LogSigmoid(), (torch.zeros(1),), dynamic_shapes=({0: "n"},), verbose=False)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    (name,) = [value.name for value in session.get_inputs()]
    return x, nn.LogSigmoid()(torch.from_numpy(x)).numpy(), session.run(None, {name: x})[0]


def main() -> None:
    """Write the picture beside this file."""
    x, ours, theirs = answers()
    last = x[np.isfinite(theirs)].min()
    figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    axes.axvspan(x.min(), last, color="#d62728", alpha=0.12, linewidth=0)
    axes.plot(x, ours, color="#1f77b4", linewidth=5, alpha=0.5, label="PyTorch")
    axes.plot(x, theirs, color="#d62728", linewidth=1.6, label="the ONNX file of torch.onnx.export, in onnxruntime")
    axes.text(
        (x.min() + last) / 2,
        -4,
        f"below {last:.0f} the ONNX file\nanswers minus infinity",
        ha="center",
        color="#a01c1c",
    )
    axes.set(xlabel="what goes into the layer LogSigmoid", ylabel="what comes out", xlim=(x.min(), 0), ylim=(-30, 1))
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "log_sigmoid.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
