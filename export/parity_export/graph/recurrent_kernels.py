"""How torch.export takes an LSTM and a GRU whose length is dynamic."""

import contextlib
from collections.abc import Iterator

import torch
from torch.export import _patches


def forget_recurrent_kernels() -> None:
    """Drop what torch remembers of its LSTM and GRU kernels.

    torch.onnx.export (2.13) exchanges them while it traces, but a kernel remembered from an earlier call is used
    instead, and that one fixes the length of the sequence.
    """
    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        operator._dispatch_cache.clear()


@contextlib.contextmanager
def recurrences_as_loops() -> Iterator[None]:
    """Let an LSTM and a GRU be loops of any length, as torch.onnx.export does where it captures a module itself."""
    forget_recurrent_kernels()
    with _patches.register_lstm_while_loop_decomposition(), _patches.register_gru_while_loop_decomposition():
        yield
