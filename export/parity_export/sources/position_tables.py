"""How long rows may be: the length of a table in which a module looks positions up, as BERT's of 512."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from parity_export.sources.argument_binding import Binding
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_export.sources.watched_call import watched_call
from parity_runtime.contract import batch_name

_MORE = 3  # added to a size, to see which lookups follow it

Lookup = tuple[int, int]
"""The highest place that is looked up, and the length of the table."""


def position_limits(source: ModelSource) -> dict[str, int]:
    """Return the largest size of each dimension whose positions a module looks up in a table.

    A place in the table that moves with the size, and with nothing else, is a position: two short calls tell where the
    table ends. One that is longer must be refused by the module itself, which may also end its positions at the last.
    Rows have no positions: of the batch nothing is asked.
    """
    call, example, batch = source.call, source.example, batch_name(source.contract)
    base = dict(example.sizes)
    free = [name for name in example.choices.free if name != batch]
    first = _lookups(call, example, base) if free else {}
    if not first:
        return {}
    grown = [example.choices.nearest({**base, name: base[name] + _MORE}) for name in free]
    asked = [base, *(sizes for sizes in grown if sizes is not None)]
    seen = [first, *(_lookups(call, example, sizes) for sizes in asked[1:])]
    if {len(lookups) for lookups in seen} != {len(first)}:  # a loop over the positions
        return {}
    found: dict[str, int] = {}
    for (highest, rows), *others in zip(*seen, strict=True):
        ends = [highest, *(end for end, _ in others)]
        for name in example.choices.names:
            if _follows(name, asked, ends):
                limit = rows - 1 - (highest - base[name])
                found[name] = min(limit, found.get(name, limit))
    longer = {name: _grown_to(example, name, limit + 1) for name, limit in found.items()}
    return {
        name: found[name] for name, sizes in longer.items() if sizes is not None and source.refusal(sizes) is not None
    }


def _follows(name: str, asked: list[dict[str, int]], ends: list[int]) -> bool:
    """Whether the highest place that is looked up is a dimension's size, but for a constant."""
    sizes = [sizes[name] for sizes in asked]
    return len(set(sizes)) > 1 and len({end - size for end, size in zip(ends, sizes, strict=True)}) == 1


def _grown_to(example: Example, name: str, size: int) -> dict[str, int] | None:
    """Return sizes with one of a dimension; of one that follows from others one of those grows; None where none can."""
    rule = example.choices.rule(name)
    if not rule.terms:
        return {**example.sizes, name: size}
    grown = [other for other, factor in rule.terms if factor == 1]
    more = size - example.sizes[name]
    return {**example.sizes, grown[-1]: example.sizes[grown[-1]] + more} if grown else None


def _lookups(call: Binding, example: Example, sizes: Mapping[str, int]) -> list[Lookup]:
    """Return the lookups of one call, in the order in which the module makes them."""
    watch = _Lookups()
    watched_call(call, example.tensors(sizes), watch)
    return watch.found


class _Lookups(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes where embeddings, and tables that are indexed as such, are looked up."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[Lookup] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if isinstance(func, torch._ops.OpOverload):
            self.found.extend(_looked_up(func.overloadpacket.__name__, args))
        return func(*args, **(kwargs or {}))


def _looked_up(operator: str, args: Any) -> Iterator[Lookup]:
    places = None
    if operator == "embedding":
        places = args[1]
    elif operator == "index_select" and args[1] == 0:
        places = args[2]
    elif operator == "index" and args[1] and args[1][0] is not None and args[1][0].dtype != torch.bool:
        places = args[1][0]
    if places is not None and places.numel():
        yield int(places.max()), int(args[0].shape[0])
