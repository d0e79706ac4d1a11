"""Torch without the libraries that only some machines have, and that compute otherwise than by sums."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def own_kernels() -> Iterator[None]:
    """Compute without oneDNN and NNPACK, whose convolution by fast transforms errs by far more than a sum does."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    try:
        with torch.backends.nnpack.flags(enabled=False):
            yield
    finally:
        torch.backends.mkldnn.enabled = before
