"""Why torch cannot export a module, in one line."""

import re
import traceback

from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.nn.utils.rnn import PackedSequence

_PLACE = re.compile(r'File "(?:.*[\\/])?(?P<file>[^"]*)", line (?P<line>\d+), in')


def reason(error: Exception) -> str:
    """Return the innermost cause's first line: the outer ones speak of torch's strategies."""
    packed = _handled_packed(error)
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
        packed = packed or _handled_packed(error)
    if packed:
        return (
            "pack_padded_sequence has no form in a graph; give the recurrence the padded rows, and take each row's "
            "answer at its own length"
        )
    if isinstance(error, GuardOnDataDependentSymNode):
        places = [f" ({place['file']}, line {place['line']})" for place in _PLACE.finditer(str(error))]
        where = places[-1] if places else ""
        return f"its code decides by the values of a tensor{where}, which a graph cannot; take torch.where instead"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _handled_packed(error: Exception) -> bool:
    """Whether an error went through code that held sequences as pack_padded_sequence gives them."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(isinstance(value, PackedSequence) for frame in frames for value in frame.f_locals.values())
