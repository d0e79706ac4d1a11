"""What one row costs: the operations of the module's forward, and its largest intermediate tensor."""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from parity_export.gate.own_kernels import own_kernels
from parity_export.sources.argument_binding import Binding, flatten
from parity_export.sources.model_source import ModelSource
from parity_runtime.contract import batch_name

ELEMENT = 16
"""Operations that one element counts which an operator without inner products writes: it waits for memory, and costs as
much as some sixteen multiplications of a matrix product (measured: 1 ns beside 0.015 to 0.03 ns)."""

_CALL_MEMORY = 2**28  # bytes of the largest tensor of a call
_RECURRENT = {"mkldnn_rnn_layer", "lstm", "gru", "rnn_tanh", "rnn_relu", "_thnn_fused_lstm_cell"}


@dataclass(frozen=True)
class RowCost:
    """Of a module at some sizes of its dynamic dimensions, a row.

    Attributes:
        operations: floating-point operations in float32; elements that are only read and written count as `ELEMENT`.
        largest: bytes of the largest tensor that an operator writes.
        values: numbers that are kept of each probe: inputs and outputs.
        operators: how many operators a call runs, of any number of rows.
        is_batched: whether several rows are one call.
    """

    operations: int
    largest: int
    values: int
    operators: int
    is_batched: bool = True

    @property
    def largest_batch(self) -> int:
        """How many rows a call takes at most."""
        return max(1, _CALL_MEMORY // max(1, self.largest)) if self.is_batched else 1


class RowCosts:
    """What rows of a module cost at any sizes of its dynamic dimensions.

    Attributes:
        source: the module.
    """

    def __init__(self, source: ModelSource) -> None:
        self.source, self._batch = source, batch_name(source.contract)
        self._on_shapes = source.calling(_without_numbers(source.module))

    def __call__(self, dimensions: Mapping[str, int]) -> RowCost | None:
        """Return what a row costs; None where the module does not take the example at these sizes.

        Args:
            dimensions: the size of every dynamic dimension but the batch.
        """
        for rows in (1, 2) if self._batch is not None else (1,):
            sizes = dict(dimensions) if self._batch is None else {**dimensions, self._batch: rows}
            tensors = self.source.example.tensors(sizes)
            for call, device in ((self._on_shapes, "meta"), (self.source.call, "cpu")):  # where code looks at numbers
                try:
                    return self._counted(call, [tensor.to(device) for tensor in tensors], rows)
                except Exception:  # noqa: S112 -- the user's own code, which the gate asks and reports on
                    continue
        return None

    def _counted(self, call: Binding, tensors: Sequence[Tensor], rows: int) -> RowCost:
        counter = _Counter()
        # oneDNN has operators of its own, and is not on every machine: a network costs the same everywhere
        with torch.no_grad(), own_kernels(), counter:
            returned = flatten(call(*tensors))
        values = sum(tensor.numel() for tensor in (*tensors, *returned))
        return counter.cost(rows, values, is_batched=self._batch is not None)


def _without_numbers(module: nn.Module) -> nn.Module:
    """Return a copy whose parameters and buffers have shapes alone: it computes nothing."""
    tensors = [*module.parameters(), *module.buffers()]
    empty = {id(tensor): _empty(tensor) for tensor in tensors}
    return copy.deepcopy(module, empty)


def _empty(tensor: Tensor) -> Tensor:
    shapes = tensor.detach().to("meta")
    return nn.Parameter(shapes, requires_grad=False) if isinstance(tensor, nn.Parameter) else shapes


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what operators compute and write."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations, self.largest, self.operators = 0, 0, 0

    def cost(self, rows: int, values: int, *, is_batched: bool) -> RowCost:
        """Return what one of some rows costs, of all their inputs' and outputs' values."""
        return RowCost(self.operations // rows, self.largest // rows, -(-values // rows), self.operators, is_batched)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(func, torch._ops.OpOverload):
            name = func.overloadpacket.__name__
            self.operators += 1
            self.operations += _operations(func, name, (args, kwargs), result)
            written = [] if _is_view(func) else flatten(result)
            self.largest = max([self.largest, *(tensor.nbytes for tensor in written)])
        return result


def _operations(func: Any, name: str, given: tuple[Any, Any], result: Any) -> int:
    args, kwargs = given
    written = ELEMENT * sum(tensor.numel() for tensor in flatten(result) if not _is_view(func))
    if func._overloadpacket in flop_registry:
        return int(flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)) + written
    if name in _RECURRENT:
        return written + _recurrent(given)
    return written


def _is_view(func: Any) -> bool:
    aliases = [returned.alias_info for returned in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _recurrent(given: tuple[Any, Any]) -> int:
    """Return the operations of a recurrent kernel: each weight meets each step of each row."""
    tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, Tensor)]
    steps = math.prod(tensors[0].shape[:-1])
    return 2 * steps * sum(tensor.numel() for tensor in tensors[1:] if tensor.ndim == 2)
