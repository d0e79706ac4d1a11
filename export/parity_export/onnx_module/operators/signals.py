"""Fourier transforms and their windows."""

import torch
from torch import Tensor

from parity_export.onnx_module.operators.operator import Inputs, Node, Operator, given

_AXIS_IS_INPUT = 20


def _dft(x: Inputs, node: Node) -> Tensor:
    signal, inverse = x[0], bool(node.integer("inverse", 0))
    if node.version >= _AXIS_IS_INPUT:
        axis = -2 if given(x, 2) is None else int(x[2].reshape(-1)[0])
    else:
        axis = node.integer("axis", 1)
    axis = axis % signal.ndim
    length = signal.shape[axis] if given(x, 1) is None else int(x[1].reshape(-1)[0])
    real, onesided = signal.shape[-1] == 1, bool(node.integer("onesided", 0))
    if onesided and inverse:
        found: Tensor = torch.fft.irfft(_complex(signal), _length(length, x, signal.shape[axis]), dim=axis)
        return found.unsqueeze(-1)
    if onesided and real:
        return torch.view_as_real(torch.fft.rfft(signal[..., 0], length, dim=axis))
    transform = torch.fft.ifft if inverse else torch.fft.fft
    spectrum: Tensor = transform(_complex(signal), length, dim=axis)
    return torch.view_as_real(spectrum)


def _length(length: int, x: Inputs, size: int) -> int:
    return 2 * (size - 1) if given(x, 1) is None else length


def _complex(signal: Tensor) -> Tensor:
    if signal.shape[-1] == 1:
        signal = torch.cat([signal, torch.zeros_like(signal)], -1)
    pairs: Tensor = torch.view_as_complex(signal.contiguous())
    return pairs


def _stft(x: Inputs, node: Node) -> Tensor:
    signal, step, window = x[0], int(x[1]), given(x, 2)
    length = len(window) if given(x, 3) is None else int(x[3])
    onesided = bool(node.integer("onesided", 1)) and (signal.ndim < 3 or signal.shape[-1] == 1)
    rows = _complex(signal) if signal.ndim == 3 and signal.shape[-1] == 2 else signal.reshape(signal.shape[:2])
    frames = rows.unfold(1, length, step)  # [batch, frames, length]
    frames = frames if window is None else frames * window
    spectrum = torch.fft.rfft(frames, dim=-1) if onesided else torch.fft.fft(frames, dim=-1)
    return torch.view_as_real(spectrum)


OPERATORS: dict[str, Operator] = {"DFT": _dft, "STFT": _stft}
