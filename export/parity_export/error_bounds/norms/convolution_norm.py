"""The spectral norm of a convolution as one map of whole images, bounded from above, whatever their sizes.

A convolution of a padded image is one of the infinite grid between an image that is zero outside and a part of the
result, so that its norm is no larger than that of the infinite grid's, which is the largest that the matrix

    W(f) = sum over a of P_a exp(-i f a)        [outputs, inputs]

has at any frequency f. P are the taps, a tap at the place p with stride s as one at a = p // s of the channel p mod s
(an image is s^2 images of every s-th element). Frequencies are tried at N points of each axis. Between them the norm
is not much larger: for the vectors with which W(f) attains it, the real part of u* W(f) v, turned to be real at its
largest, is a trigonometric polynomial of degree A/2 but for a factor of modulus 1, A the largest a; near its maximum
M it is at least M cos((A/2) t) at the distance t (M. Riesz, 1914; for odd A, where the degree is no integer, R. J.
Duffin and A. C. Schaeffer, 1938), and some point lies within pi / N: the largest of the points, divided by
cos(pi A / 2N) for each axis.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.norms.spectral_norm import rounded_up, spectral_norm

_POINTS = ((8, 1e10), (4, 2e11))
"""Points of an axis for each element of A, and how many operations they may cost; beyond the last the taps are added
up."""

_ROUNDED = 2.0**-40
"""More than float64 loses in W(f), of the sum of magnitudes: some ten of its units for each of a few dozen taps."""


@dataclass(frozen=True)
class ConvolutionNorms:
    """Spectral norms of a convolution.

    Attributes:
        signed: of the map.
        absolute: of the map with the magnitudes of its weights; the largest of its frequencies is 0.
    """

    signed: float
    absolute: float


def convolution_norms(
    weight: NDArray[np.float64], strides: tuple[int, ...], dilations: tuple[int, ...], groups: int
) -> ConvolutionNorms:
    """Return at least the norms of a convolution.

    Args:
        weight: ``[outputs, inputs / groups, *kernel]``.
        strides: of each axis of the kernel.
        dilations: alike.
        groups: of channels; each is a map of its own.
    """
    reach = _reach(weight, strides, dilations)
    taps = _taps(weight, strides, dilations).reshape(groups, weight.shape[0] // groups, -1, *reach)
    axes = tuple(range(3, taps.ndim))
    summed = np.abs(taps).sum(axis=axes)
    absolute = rounded_up(spectral_norm(summed) * (1 + _ROUNDED))
    slack = _ROUNDED * float(np.sqrt((summed**2).sum(axis=(-1, -2))).max())
    return ConvolutionNorms(min(absolute, rounded_up(_signed(taps) + slack)), absolute)


def _signed(taps: NDArray[np.float64]) -> float:
    """Return at least the norm of the infinite grid's map, but for rounding; taps ``[groups, ., ., *(A + 1)]``."""
    rows, columns = sorted(taps.shape[1:3])
    for points, most in _POINTS:
        counts = [max(1, points * (size - 1)) for size in taps.shape[3:]]
        if 4 * taps.shape[0] * rows**2 * (rows + columns) * math.prod(counts) <= most:
            between = math.prod(math.cos(math.pi / (2 * points)) for count in counts if count > 1)
            return spectral_norm(_at(taps, counts)) / between
    return sum(spectral_norm(taps[(..., *place)]) for place in np.ndindex(taps.shape[3:]))


def _reach(weight: NDArray[np.float64], strides: tuple[int, ...], dilations: tuple[int, ...]) -> list[int]:
    """Return A + 1 of each axis."""
    parts = zip(weight.shape[2:], strides, dilations, strict=True)
    return [(size - 1) * dilation // stride + 1 for size, stride, dilation in parts]


def _taps(weight: NDArray[np.float64], strides: tuple[int, ...], dilations: tuple[int, ...]) -> NDArray[np.float64]:
    """Return P, ``[outputs, inputs / groups, *strides, *(A + 1)]``."""
    found = np.zeros((*weight.shape[:2], *strides, *_reach(weight, strides, dilations)))
    for place in np.ndindex(weight.shape[2:]):
        at = [index * dilation for index, dilation in zip(place, dilations, strict=True)]
        rest = tuple(one % stride for one, stride in zip(at, strides, strict=True))
        whole = tuple(one // stride for one, stride in zip(at, strides, strict=True))
        found[(..., *rest, *whole)] = weight[(..., *place)]
    return found


def _at(taps: NDArray[np.float64], counts: list[int]) -> NDArray[np.complex128]:
    """Return W(f) of all frequencies, ``[..., groups, outputs, inputs]``; -f has the norm of f."""
    found = taps.astype(np.complex128)
    for axis, count in enumerate(counts):
        kept = count // 2 + 1 if axis == 0 else count
        places = np.arange(found.shape[3])
        waves = np.exp(-2j * math.pi * np.outer(np.arange(kept), places) / count)
        found = np.moveaxis(np.tensordot(found, waves, axes=([3], [1])), -1, found.ndim - 1)
    return np.moveaxis(found, (0, 1, 2), (-3, -2, -1))
