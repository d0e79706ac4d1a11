"""Which axes of what a module returns are which dynamic dimension, found by asking torch at other sizes."""

import torch

from parity_export.sources.argument_binding import Binding, flatten
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_runtime.contract import batch_name

_MORE = 3

Shapes = list[tuple[int, ...]]
Asked = tuple[dict[str, int], Shapes]
"""Sizes of the dynamic dimensions, and the shapes that are returned there."""


def returned_shapes(source: ModelSource) -> list[tuple[str, tuple[int | str, ...]]]:
    """Return the dtype and the shape of each tensor that a source's module returns.

    An axis that is as long as one dynamic dimension of the inputs has that dimension's name; other axes that may
    change are ``dim0``, ``dim1``, ...
    """
    call, example = source.call, source.example
    with torch.no_grad():
        returned = flatten(call(*example.tensors()))
    dtypes = [str(leaf.dtype).removeprefix("torch.") for leaf in returned]
    asked: list[Asked | None] = [(dict(example.sizes), [tuple(leaf.shape) for leaf in returned])]
    for name in example.choices.free:
        asked += _grown(source, name)
    return [
        (dtype, tuple(_axis(asked, (leaf, axis)) for axis in range(returned[leaf].ndim)))
        for leaf, dtype in enumerate(dtypes)
    ]


def _axis(asked: list[Asked | None], place: tuple[int, int]) -> int | str:
    leaf, axis = place
    known = [(sizes, shapes[leaf][axis]) for sizes, shapes in filter(None, asked)]
    if len({size for _, size in known}) == 1:
        return known[0][1] if None not in asked else f"dim{axis}"
    named = [name for name in known[0][0] if all(sizes[name] == size for sizes, size in known)]
    return named[0] if named else f"dim{axis}"


def _grown(source: ModelSource, name: str) -> list[Asked | None]:
    """Return other sizes of one dimension with the shapes there; None where the module takes none of them.

    A little more shows which axis follows, twice as much one that strides shorten.
    """
    call, example = source.call, source.example
    size, lowest = example.sizes[name], example.choices.rule(name).low
    counts_rows = name == batch_name(source.contract)
    for wanted in ((size + 1,) if counts_rows else (size + _MORE, 2 * size), (2 * size,), (max(2, lowest),)):
        found = [_asked(call, example, name, other) for other in wanted]
        known: list[Asked | None] = [one for one in found if one is not None]
        if known:
            return known
    return [None]


def _asked(call: Binding, example: Example, name: str, size: int) -> Asked | None:
    sizes = example.choices.nearest({**example.sizes, name: size})
    if sizes is None or sizes[name] == example.sizes[name]:
        return None
    try:
        with torch.no_grad():
            return sizes, [tuple(leaf.shape) for leaf in flatten(call(*example.tensors(sizes)))]
    except Exception:  # the user's own code, which may want multiples of a size
        return None
