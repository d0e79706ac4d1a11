"""Where every constant of a graph is from: a tensor of the module or the file, bit for bit, or something else."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.export_graph import ExportGraph


@dataclass
class Initializers:
    """What was found.

    Attributes:
        from_module: how many initializers equal the parameter or buffer of their name, bit for bit.
        differing: names of those that bear a tensor's name and differ from it.
        constants: the others: what the module's code or the exporter brings in, by name, dtype and shape.
    """

    from_module: int = 0
    differing: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)

    def mismatches(self) -> list[str]:
        """Return what speaks against the graph, a line each."""
        return [f"the initializer {name} is not the state_dict's" for name in self.differing]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def check_weights(graph: ExportGraph) -> Initializers:
    """Compare a graph's initializers with the module's parameters and buffers."""
    module = graph.source.module
    tensors = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers(remove_duplicate=False))
    return _compared(graph, {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()})


def adopted_weights(graph: ExportGraph) -> Initializers:
    """Compare a graph's initializers with those of the file that it was adopted from."""
    file = ir.from_proto(graph.source.adopted) if graph.source.adopted is not None else None
    given = {} if file is None else file.graph.initializers
    arrays = {name: one.const_value.numpy() for name, one in given.items() if one.const_value is not None}
    return _compared(graph, arrays)


def _compared(graph: ExportGraph, tensors: Mapping[str, NDArray[Any]]) -> Initializers:
    found = Initializers()
    for name, value in graph.model.graph.initializers.items():
        if value.const_value is None:
            continue
        array = value.const_value.numpy()
        if name not in tensors:
            found.constants.append(f"{name}: {array.dtype}{list(array.shape)}")
        elif _same_bytes(tensors[name], array):
            found.from_module += 1
        else:
            found.differing.append(name)
    return found


def _same_bytes(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two arrays hold the same bits, in the same order; nothing is copied."""
    one, other = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (first, second))
    return np.array_equal(one, other)
