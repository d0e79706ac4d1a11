"""Dynamic dimensions that torch fixes at the example's size without a word, and the capture that keeps them.

torch.export runs a module's code; where that makes a number of a size (``len(x)``, ``int(x.shape[0])``), the number is
the example's, and torch.onnx.export then gives up the dimension. Its strict mode reads the code instead.
"""

from collections.abc import Mapping, Sequence
from inspect import BoundArguments
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from parity_export.graph.recurrent_kernels import recurrences_as_loops
from parity_runtime import InputError

Axes = Mapping[int, torch.export.Dim]


def fixed_sizes(program: torch.onnx.ONNXProgram, axes: Sequence[Axes]) -> dict[str, int]:
    """Return the dynamic dimensions, by name, that a program takes at one size alone, and that size.

    Args:
        program: as torch.onnx.export returns it.
        axes: the dynamic axes of each input, in the program's order.
    """
    found = {}
    for value, dynamic in zip(program.model.graph.inputs, axes, strict=True):
        for axis, dimension in dynamic.items():
            size = None if value.shape is None else value.shape[axis]
            if isinstance(size, int):
                found[dimension.__name__] = size
    return found


def captured_by_reading(
    module: nn.Module, arguments: BoundArguments, dynamic_shapes: Mapping[str, Any], fixed: Mapping[str, int]
) -> torch.export.ExportedProgram:
    """Return a module's program from its code, in which the size of a dynamic dimension stays a symbol.

    Args:
        module: on the CPU, in eval mode.
        arguments: an example of what its ``forward`` takes.
        dynamic_shapes: the dynamic axes of each parameter of ``forward``, by its name.
        fixed: what `fixed_sizes` found, for the refusal.

    Raises:
        InputError: torch fixes a size in this way, too, or cannot read the code.
    """
    shapes = tree_map(_from_two, dict(dynamic_shapes))
    try:
        with recurrences_as_loops():
            return torch.export.export(module, arguments.args, arguments.kwargs, dynamic_shapes=shapes, strict=True)
    except Exception as error:  # torch's own, of many kinds
        name, size = next(iter(fixed.items()))
        raise InputError(
            f"torch cannot export the module: it fixes the dimension {name} at the example's size, {size}, as it does "
            f"for nn.RNN and for code that loops over an axis or makes a number of its size; write the size that you "
            f"need instead of {name}, or use sizes as x.shape[i], without a loop over them"
        ) from error


def _from_two(size: Any) -> Any:
    """Return a dimension that torch may take to be no 1, for which it has other code; the gate asks the graph at 1."""
    if not isinstance(size, torch.export.Dim):
        return size
    return torch.export.Dim(size.__name__, min=max(2, size.min), max=size.max)
