"""Why torch cannot export a module, in one line."""

import re
import traceback
from collections.abc import Iterator
from types import FrameType

from torch import nn
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.nn.utils.rnn import PackedSequence

_EAGER = "; the plain attention of transformers may be exported: attn_implementation='eager', where the model is built"
_PLACE = re.compile(r'File "(?:.*[\\/])?(?P<file>[^"]*)", line (?P<line>\d+), in')


def reason(error: Exception, module: nn.Module) -> str:
    """Return the innermost cause's first line: the outer ones speak of torch's strategies."""
    chain = [error]
    while isinstance(chain[-1].__cause__, Exception):
        chain.append(chain[-1].__cause__)
    if any(map(_handled_packed, chain)):
        return (
            "pack_padded_sequence has no form in a graph; give the recurrence the padded rows, and take each row's "
            "output at its own length"
        )
    if isinstance(chain[-1], GuardOnDataDependentSymNode):
        places = [f" ({place['file']}, line {place['line']})" for place in _PLACE.finditer(str(chain[-1]))]
        where = places[-1] if places else ""
        return f"its code decides by the values of a tensor{where}, which a graph cannot; use torch.where instead"
    lines = [line.strip() for line in str(chain[-1]).splitlines() if line.strip()]
    said = lines[0] if lines else type(chain[-1]).__name__
    return said + (_EAGER if _has_other_attention(module) else "")


def _frames(error: Exception) -> Iterator[FrameType]:
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def _has_other_attention(module: nn.Module) -> bool:
    """Whether a module is of transformers, with another attention than the plain one."""
    parts = [part for part in module.modules() if type(part).__module__.startswith("transformers.")]
    chosen = {getattr(getattr(part, "config", None), "_attn_implementation", None) for part in parts}
    return bool(parts) and "eager" not in chosen


def _handled_packed(error: Exception) -> bool:
    """Whether an error went through code that held sequences as pack_padded_sequence gives them."""
    return any(isinstance(value, PackedSequence) for frame in _frames(error) for value in frame.f_locals.values())
