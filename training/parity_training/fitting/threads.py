"""How many threads torch takes for a batch: a small one is over before a second thread has woken up."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

_ONE_THREAD = 2**20  # multiplications: some 30 us, what two threads on two cores save at best, and lose on busy ones
_ONE_PRODUCT = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.BatchNorm1d, nn.PReLU)  # a weight is multiplied once a row


@contextlib.contextmanager
def threads_for(model: nn.Module, batch_size: int) -> Iterator[None]:
    """Let torch compute small batches in one thread while the block runs, and as it did before behind it.

    Where other processes want the cores, threads wait for one another in each of a step's products: a training of the
    2-4-1 network took eight times as long.

    Args:
        model: what computes.
        batch_size: rows of a batch.
    """
    before = torch.get_num_threads()
    if before > 1 and is_small(model, batch_size):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_small(model: nn.Module, batch_size: int) -> bool:
    """Whether a batch multiplies at most 2**20 numbers forwards, as far as the kinds of layers tell.

    >>> from torch import nn
    >>> from parity_training.fitting.threads import is_small
    >>> is_small(nn.Linear(30, 256), 128), is_small(nn.Linear(30, 256), 1024), is_small(nn.Conv2d(1, 8, 3), 1)
    (True, False, False)
    """
    weights = 0
    for module in model.modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if own and not isinstance(module, _ONE_PRODUCT) and not type(module).__module__.startswith("parity_training."):
            return False  # a convolution or a recurrence takes its weights many times a row
        weights += own
    return weights * batch_size <= _ONE_THREAD
