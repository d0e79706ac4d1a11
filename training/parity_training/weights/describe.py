"""Tensors and lists of their names, as a sentence has them."""

from collections.abc import Collection

from torch import Tensor


def described(tensor: Tensor) -> str:
    """Return ``float32[2, 3]``."""
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def and_more(names: Collection[str]) -> str:
    """Return `` (and 2 more)`` behind the first of several names; nothing behind the only one."""
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
