"""What a module does with its integers and booleans, seen by watching one call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from parity_export.sources.watched_call import watched_call

_INDEXED = {"embedding": (0, 1), "index_select": (0, 2), "gather": (0, 2)}
"""Where operators have what is indexed, and by what; of `index` each index stands in a list of its own."""

_SHAPE_ALONE = {
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like", "new_zeros", "new_ones",
    "new_empty", "new_full", "sym_size", "sym_numel", "sym_stride", "_fused_sdp_choice",
}  # fmt: skip
_MOVES = {
    "view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "expand", "permute", "transpose", "t", "slice", "select",
    "clone", "_to_copy", "alias", "detach", "detach_", "lift_fresh", "contiguous", "repeat", "cat", "stack", "flip",
    "roll", "constant_pad_nd", "unbind", "split", "unflatten", "view_as", "expand_as", "copy_", "_reshape_alias",
    "as_strided", "split_with_sizes", "chunk", "to", "flatten", "triu", "tril", "narrow",
}  # fmt: skip
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}
_LOGIC = {
    "bitwise_and", "bitwise_or", "bitwise_not", "bitwise_xor", "logical_and", "logical_or", "logical_not",
    "logical_xor",
    "bitwise_and_", "bitwise_or_", "__and__", "__or__",
}  # fmt: skip
_ARITHMETIC = {
    "add",
    "sub",
    "rsub",
    "mul",
    "neg",
    "div",
    "add_",
    "sub_",
    "mul_",
    "clamp",
    "clamp_min",
    "maximum",
    "minimum",
}
_COUNTS = {"sum", "any", "all", "mean", "max", "min", "amax", "amin", "cumsum", "argmax", "argmin", "count_nonzero"}
_CHOOSING = {"where", "masked_fill", "masked_fill_"}
_READ = {
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "equal",
    "_assert_async",
    "_assert_scalar",
    "_assert_tensor_metadata",
}
_CLOSED = -1e3
"""What is added to a score, or put in its place, where nothing may be looked at: at most that."""


@dataclass
class Uses:
    """What was seen of one input.

    Attributes:
        bounds: the lengths of the axes that its own values index, with a name for each.
        indexed: what was computed of it indexes something.
        compared: it was compared with 0 or 1, cast to a boolean, or chose between values.
        multiplied: something was multiplied by it.
        attended: it decides which scores of an attention count.
        open: in each call that was watched, whether any position was left to look at.
        blind: whether some position of an attention had nothing left to look at while the mask left something.
        others: operators that took it for something else than a mask.
    """

    bounds: list[tuple[int, str]] = field(default_factory=list)
    indexed: bool = False
    compared: bool = False
    multiplied: bool = False
    attended: bool = False
    open: list[bool] = field(default_factory=list)
    blind: bool = False
    others: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Seen:
    """What a tensor is made of.

    Attributes:
        name: of the input.
        own: whether it holds the input's own values.
        closing: whether it is large and negative where the input says so: added to a score it shuts it out.
    """

    name: str
    own: bool
    closing: bool = False


@dataclass(frozen=True)
class _Operation:
    """One operator that ran: its name, what it was given, and what it made of that."""

    operator: str
    args: Any
    kwargs: Any
    result: Any

    @property
    def tensors(self) -> list[Tensor]:
        return _tensors((self.args, self.kwargs))


class WatchedInputs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows tensors through a call, by their memory: views and wrappers share it.

    What is computed of weights or of other inputs is data; anything else that is not followed is a constant.

    Args:
        tensors: all inputs, by name.
        followed: the names of those that are followed.
        module: whose weights are named.
    """

    supports_higher_order_operators = True

    def __init__(self, tensors: Mapping[str, Tensor], followed: Sequence[str], module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.uses = {name: Uses() for name in followed}
        self._seen: dict[int, _Seen] = {}
        self._kept: list[Tensor] = []  # memory that is freed would be somebody else's
        self._data = {_memory(tensor) for tensor in module.parameters()}
        self._weights = {
            tensor.data_ptr(): name for name, tensor in [*module.named_buffers(), *module.named_parameters()]
        }
        for name, tensor in tensors.items():
            if name in self.uses:
                self._note(tensor, _Seen(name, own=True))
            else:
                self._note_data(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        is_data = any(_memory(tensor) in self._data for tensor in given)
        result = func(*args, **kwargs)
        followed = [seen for seen in map(self._of, given) if seen is not None]
        if is_data:
            for tensor in _tensors(result):
                self._note_data(tensor)
        if followed and isinstance(func, torch._ops.OpOverload):
            self._watch(_Operation(func.overloadpacket.__name__, args, kwargs, result))
        elif followed:
            for seen in followed:
                self.uses[seen.name].others.add(str(func))
        return result

    def _watch(self, call: _Operation) -> None:
        """Note what an call.operator does with the inputs that it takes, and what it makes of them."""
        if call.operator in _SHAPE_ALONE or call.operator in _READ:
            return
        for handle in (self._indexing, self._attention, self._choice, self._mask_arithmetic):
            if handle(call):
                return
        for seen in map(self._of, call.tensors):
            if seen is not None:
                self.uses[seen.name].others.add(call.operator)

    def _indexing(self, call: _Operation) -> bool:
        if call.operator in _INDEXED:
            source, place = _INDEXED[call.operator]
            axis = 0 if call.operator == "embedding" else call.args[1] % max(1, call.args[0].dim())
            self._index(call.args[source], axis, call.args[place])
        elif call.operator == "index":
            for axis, index in enumerate(call.args[1]):
                if index is not None:
                    self._index(call.args[0], axis, index)
        elif call.operator.startswith("_embedding_bag"):
            self._index(call.args[0], 0, call.args[1])
        elif call.operator.startswith(("scatter", "index_", "take")):
            for tensor in call.tensors:
                self._index(None, 0, tensor)
        else:
            return False
        moved = self._of(call.args[0]) if "embedding" not in call.operator else None
        if moved is not None:
            self._follow(call.result, moved, own=moved.own)
        return True

    def _index(self, source: Tensor | None, axis: int, index: Tensor) -> None:
        """Note that a tensor indexes an axis of another."""
        seen = self._of(index)
        if seen is None:
            return
        uses = self.uses[seen.name]
        if index.dtype == torch.bool:
            uses.compared = True
        elif source is None or not seen.own:
            uses.indexed = True
        else:
            name = self._weights.get(source.data_ptr(), "")
            uses.bounds.append((source.shape[axis], name))

    def _attention(self, call: _Operation) -> bool:
        """Note a mask that an attention takes, in the kernels of torch."""
        fused = "scaled_dot_product" in call.operator
        native = "native_multi_head" in call.operator or "transformer_encoder_layer" in call.operator
        if not (fused or native or "nested_tensor_from_mask" in call.operator):
            return False
        for tensor in _tensors((call.args[3:] if fused else call.args, call.kwargs)):
            seen = self._of(tensor)
            if seen is not None:
                is_flag = tensor.dtype == torch.bool
                self._decide(seen, tensor > _CLOSED if not is_flag else ~tensor if native else tensor)
        for tensor in _tensors(call.args[:3]) if fused else ():
            self._other(tensor, call.operator)
        return True

    def _choice(self, call: _Operation) -> bool:
        """Note a mask that chooses: between two tensors, or what is written over."""
        if call.operator not in _CHOOSING:
            return False
        first, mask, other = (
            (call.args[1], call.args[0], call.args[2])
            if call.operator == "where"
            else (call.args[0], call.args[1], call.args[2])
        )
        chooser = self._of(mask)
        moved = [seen for seen in map(self._of, _tensors((first, other))) if seen is not None]
        if call.operator != "where":
            first, other = other, first  # what is chosen where the mask is true comes first
        if chooser is not None:
            self.uses[chooser.name].compared = True
            for closed, is_open in ((first, ~mask), (other, mask)):
                if _closes(closed):
                    self._decide(chooser, is_open)
            if all(self._is_constant(one) or self._of(one) is not None for one in (first, other)):
                moved.append(chooser)
        closing = _closes(first) or _closes(other)
        for seen in moved:
            self._follow(call.result, seen, own=False, closing=closing)
        return True

    def _mask_arithmetic(self, call: _Operation) -> bool:
        """Note what is computed of a mask alone, and where it meets what it masks."""
        tensors = call.tensors
        followed = [
            (tensor, seen) for tensor, seen in zip(tensors, map(self._of, tensors), strict=True) if seen is not None
        ]
        alone = len(followed) == len(tensors)
        if call.operator in _MOVES:
            for _, seen in followed:
                own = seen.own and not (tensors[0].dtype != torch.bool and _is_bool(call.result))
                self.uses[seen.name].compared |= seen.own and not own
                self._follow(call.result, seen, own=own)
        elif call.operator in _COMPARISONS:
            self._compare(call, followed)
        elif call.operator in _LOGIC:
            for _, seen in followed:
                self.uses[seen.name].compared = True
                self._follow(call.result, seen, own=False)
        elif call.operator in _COUNTS and alone:
            self._follow(call.result, followed[0][1], own=False)
        elif call.operator in _ARITHMETIC:
            self._meet(call, followed)
        else:
            return False
        return True

    def _compare(self, call: _Operation, followed: Sequence[tuple[Tensor, _Seen]]) -> None:
        other = next((one for one in call.args if not (isinstance(one, Tensor) and self._of(one) is not None)), None)
        number = other.item() if isinstance(other, Tensor) and other.numel() == 1 else other
        for _, seen in followed:
            if isinstance(number, bool | int | float) and 0 <= number <= 1:
                self.uses[seen.name].compared = True
                self._follow(call.result, seen, own=False)
            elif seen.own:
                self.uses[seen.name].others.add(call.operator)

    def _meet(self, call: _Operation, followed: Sequence[tuple[Tensor, _Seen]]) -> None:
        """Note an addition or a multiplication: of a mask and numbers a mask is made, anything else is masked."""
        others = [one for one in call.args[:2] if not (isinstance(one, Tensor) and self._of(one) is not None)]
        for tensor, seen in followed:
            if all(map(self._is_constant, others)):
                self._follow(call.result, seen, own=False, closing=any(map(_closes, others)))
            elif call.operator.startswith(("mul", "div")):
                self.uses[seen.name].multiplied = True
            elif call.operator.startswith("add") and seen.closing:
                self._decide(seen, tensor > _CLOSED)
            else:
                self.uses[seen.name].others.add(call.operator)

    def _decide(self, seen: _Seen, is_open: Tensor) -> None:
        uses = self.uses[seen.name]
        uses.attended = True
        uses.open.append(bool(is_open.any()))
        uses.blind |= uses.open[-1] and is_open.ndim > 1 and not bool(is_open.any(dim=-1).all())

    def _other(self, tensor: Tensor, operator: str) -> None:
        seen = self._of(tensor)
        if seen is not None:
            self.uses[seen.name].others.add(operator)

    def _of(self, tensor: Any) -> _Seen | None:
        return self._seen.get(_memory(tensor)) if isinstance(tensor, Tensor) else None

    def _follow(self, result: Any, seen: _Seen, *, own: bool, closing: bool = False) -> None:
        for tensor in _tensors(result):
            self._note(tensor, _Seen(seen.name, own, closing or seen.closing))

    def _is_constant(self, value: Any) -> bool:
        return not isinstance(value, Tensor) or _memory(value) not in self._data

    def _note_data(self, tensor: Tensor) -> None:
        self._data.add(_memory(tensor))
        self._kept.append(tensor)

    def _note(self, tensor: Tensor, seen: _Seen) -> None:
        if _memory(tensor):
            self._seen[_memory(tensor)] = seen
            self._kept.append(tensor)


def watch(
    call: Callable[..., Any], module: nn.Module, tensors: Mapping[str, Tensor], followed: Sequence[str]
) -> dict[str, Uses]:
    """Return what a module does with some of its inputs in one call; what fails midway was seen up to there."""
    mode = WatchedInputs(tensors, followed, module)
    watched_call(call, [*tensors.values()], mode)
    return mode.uses


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _memory(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse and nested tensors have none of their own
        return 0


def _is_bool(result: Any) -> bool:
    return isinstance(result, Tensor) and result.dtype == torch.bool


def _closes(value: Any) -> bool:
    """Whether a number, or a number of a tensor, shuts a score out."""
    if isinstance(value, Tensor):
        return value.is_floating_point() and value.numel() > 0 and bool((value <= _CLOSED).any())
    return isinstance(value, int | float) and value <= _CLOSED
