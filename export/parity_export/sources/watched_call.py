"""One call of a module under a mode that watches its operators."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


def watched_call(call: Callable[..., Any], tensors: Sequence[Tensor], mode: TorchDispatchMode) -> None:
    """Call a module under a mode; what fails midway was seen up to there.

    torch.cond and its kin are compiled when they first run, and what they compile while somebody watches fails ever
    after: it is forgotten.
    """
    try:
        with torch.no_grad(), mode:
            call(*tensors)
    except Exception:  # noqa: S110 -- the user's own code, which takes no such values; torch.cond is not watched
        pass
    finally:
        if "torch._dynamo" in sys.modules:
            torch._dynamo.reset()
