"""Whether a module computes the same outputs from the same rows twice; where it does not, what of it changes."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from parity_runtime import ParityRefusedError
from parity_runtime.inference.input_validation import Arrays


def check_determinism(module: nn.Module, answer: Callable[[Arrays], Arrays], inputs: Arrays) -> None:
    """Refuse a module whose answers to the same rows differ from call to call.

    Args:
        module: in eval mode.
        answer: its answers.
        inputs: some rows.

    Raises:
        ParityRefusedError: says what forward was seen to change or to draw.
    """
    first, second = answer(inputs), answer(inputs)
    if all(values.tobytes() == second[name].tobytes() for name, values in first.items()):
        return
    before, random = dict(_state(module)), torch.get_rng_state()
    answer(inputs)
    changed = [what for what, value in _state(module) if not _equal(value, before.get(what))]
    drawn = not torch.equal(random, torch.get_rng_state())
    raise ParityRefusedError(
        f"the module returns different outputs for the same rows each time; {_seen(changed, drawn=drawn)}"
    )


def _seen(changed: list[str], *, drawn: bool) -> str:
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        return (
            f"its forward changes {changed[0]}{more}, and a graph keeps nothing from call to call: change it in train "
            "mode alone (if self.training), or take it as an input and return it"
        )
    if drawn:
        return "its forward draws random numbers: is dropout or noise left on in eval mode?"
    return "no tensor and no number of it changes: does its forward read a clock, a file or a global?"


def _state(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield a copy of all that a module's parts hold in tensors, numbers and texts, each with what it is."""
    for kind, tensors in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
        for name, tensor in tensors:
            yield f"the {kind} {name}", tensor.detach().clone()
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, torch.Tensor):
                yield f"the attribute {path and path + '.'}{name}", value.detach().clone()
            elif isinstance(value, bool | int | float | str):
                yield f"the attribute {path and path + '.'}{name}", value


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(value.nan_to_num(), other.nan_to_num())
    return bool(value == other)
