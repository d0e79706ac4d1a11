"""Which axes of what a module returns are which dynamic dimension, found by asking torch at other sizes."""

import torch

from parity_export.sources.argument_binding import Binding, flatten
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource

_MORE = 3

Shapes = list[tuple[int, ...]]


def returned_shapes(source: ModelSource) -> list[tuple[str, tuple[int | str, ...]]]:
    """Return the dtype and the shape of each tensor that a source's module returns.

    An axis that is as long as one dynamic dimension of the inputs has that dimension's name; other axes that may
    change are ``dim0``, ``dim1``, ...
    """
    call, example = source.call, source.example
    sizes = dict(example.sizes)
    with torch.no_grad():
        returned = flatten(call(*example.tensors()))
    dtypes = [str(leaf.dtype).removeprefix("torch.") for leaf in returned]
    base = [tuple(leaf.shape) for leaf in returned]
    grown = {name: _grown(call, example, name) for name in sizes}
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


def _grown(call: Binding, example: Example, name: str) -> tuple[int, Shapes] | None:
    """Return a larger size of one dimension and the shapes there; None where the module takes no such size."""
    for size in (example.sizes[name] + _MORE, 2 * example.sizes[name]):
        try:
            with torch.no_grad():
                return size, [tuple(leaf.shape) for leaf in flatten(call(*example.tensors({name: size})))]
        except Exception:  # noqa: S112 -- the user's own code, which may want multiples of a size
            continue
    return None
