"""Which axes of what a module returns are which dynamic dimension, found by asking torch at other sizes."""

import torch
from torch import nn

from parity_export.binding import bind
from parity_export.gate.reference import flatten
from parity_export.graph.examples import example_sizes, zeros
from parity_runtime import ModelContract

_MORE = 3

Shapes = list[tuple[int, ...]]


def returned_shapes(module: nn.Module, contract: ModelContract) -> list[tuple[str, tuple[int | str, ...]]]:
    """Return the dtype and the shape of each tensor that a module returns.

    An axis that is as long as one dynamic dimension of the inputs has that dimension's name; other axes that may
    change are ``dim0``, ``dim1``, ...

    Args:
        module: on the CPU, in eval mode.
        contract: names the inputs.
    """
    sizes = example_sizes(module, contract.inputs)
    with torch.no_grad():
        returned = flatten(bind(module, contract.inputs)(*zeros(contract.inputs, 2, sizes)))
    dtypes = [str(leaf.dtype).removeprefix("torch.") for leaf in returned]
    base = _shapes(module, contract, sizes)
    grown = {name: _grown(module, contract, sizes, name) for name in sizes}
    return [
        (dtype, tuple(_axis(sizes, base, grown, (leaf, axis)) for axis in range(len(base[leaf]))))
        for leaf, dtype in enumerate(dtypes)
    ]


def _axis(
    sizes: dict[str, int], base: Shapes, grown: dict[str, tuple[int, Shapes] | None], place: tuple[int, int]
) -> int | str:
    leaf, axis = place
    size = base[leaf][axis]
    changed = {name: other for name, other in grown.items() if other is None or other[1][leaf][axis] != size}
    if not changed:
        return size
    name, other = next(iter(changed.items()))
    is_it = other is not None and len(changed) == 1 and size == sizes[name] and other[1][leaf][axis] == other[0]
    return name if is_it else f"dim{axis}"


def _grown(module: nn.Module, contract: ModelContract, sizes: dict[str, int], name: str) -> tuple[int, Shapes] | None:
    """Return a larger size of one dimension and the shapes there; None where the module takes no such size."""
    for size in (sizes[name] + _MORE, 2 * sizes[name]):
        try:
            return size, _shapes(module, contract, sizes | {name: size})
        except Exception:  # noqa: S112 -- the user's own code, which may want multiples of a size
            continue
    return None


def _shapes(module: nn.Module, contract: ModelContract, sizes: dict[str, int]) -> Shapes:
    with torch.no_grad():
        return [tuple(leaf.shape) for leaf in flatten(bind(module, contract.inputs)(*zeros(contract.inputs, 2, sizes)))]
