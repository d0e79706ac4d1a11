"""What an exported graph of a network answers, beside the module in float64."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._pytree import tree_leaves

from parity_runtime import Package
from parity_runtime.inference.session import import_onnxruntime

from .network import Network

Arrays = dict[str, NDArray[Any]]
_SEED = 7  # unlike the examples'
_CLASSIFIED = {"multiclass": ["logits"], "binary": ["logits"], "regression": ["value"]}


class Difference(NamedTuple):
    """The largest difference of a graph's answers.

    Attributes:
        share: of the package's tolerance; 1 is all of it, inf what is not a number or of another shape.
        where: the output and the sizes of the dynamic dimensions.
    """

    share: float
    where: str


def largest_difference(network: Network, module: nn.Module, package: Path) -> Difference:
    """Ask plain onnxruntime for a package's graph at new sizes, and compare with the module in float64.

    Args:
        network: what the package was exported from.
        module: the same, built.
        package: its folder.
    """
    contract = Package.open(package).contract
    session = import_onnxruntime().InferenceSession(str(package / "model.onnx"))
    double, found = copy.deepcopy(module).double(), []
    for sizes in network.new:
        inputs = network.draw(sizes, _SEED)
        taken = {given.name: inputs[given.name] for given in session.get_inputs()}
        outputs = dict(zip((spec.name for spec in contract.outputs), session.run(None, taken), strict=True))
        wanted = _in_float64(double, inputs)
        names = _CLASSIFIED.get(contract.task, list(outputs))
        for name, expected in zip(names, wanted, strict=True):
            allowed = contract.tolerance[name].allowed(expected)
            found.append(Difference(_share(outputs[name], expected, allowed), f"{name} at {dict(sizes)}"))
    return max(found)


def _in_float64(module: nn.Module, inputs: Arrays) -> list[NDArray[Any]]:
    """Return the tensors that a module answers, in torch.export's order."""
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    doubled = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    with torch.no_grad():
        return [leaf.numpy() for leaf in tree_leaves(module(**doubled)) if isinstance(leaf, torch.Tensor)]


def _share(found: NDArray[Any], expected: NDArray[Any], allowed: NDArray[Any]) -> float:
    if found.shape != expected.shape:
        return float("inf")
    share = np.abs(found.astype(np.float64) - expected) / allowed
    return float(np.where(np.isnan(share), np.inf, share).max())
