"""The spectral norm of a constant matrix, bounded from above; what float64 loses on the way is paid for.

With G = A A* and c a guess that is a little too large, c I - G is positive definite, and Cholesky's algorithm says
so: if it runs to completion on a Hermitian matrix M of order d in floating point, the computed R has R* R = M + E
with ||E|| <= gamma_(d+1) ||R||_F^2 <= gamma_(d+1) / (1 - gamma_(d+1)) trace(M), so that no eigenvalue of M lies below
minus that (S. M. Rump, Verification of positive definiteness, BIT 46, 2006; Higham, theorem 10.3). Hence

    ||A||^2 = ||G|| <= c + d c gamma + ||A||_F^2 gamma

the last term for the products of G, which lie within gamma |A| |A*| of the exact ones.
"""

import math

import numpy as np
from numpy.typing import NDArray

_U = 2.0**-53
_LARGEST_ORDER = 2048
"""Of G: beyond it the norms of rows and columns must do."""

_POWERS = 30
"""Multiplications with G that a guess takes."""

_FIRST, _MORE, _TRIES = 1.005, 1.03, 60
"""How much a guess is raised at first, and then each time that it was too small."""

_PLACES = 512
"""Results are rounded up to powers of 2^(1/512): a library that sums in another order gives the same graph."""


def spectral_norm(matrices: NDArray[np.float64] | NDArray[np.complex128]) -> float:
    """Return at least the largest spectral norm of some matrices, mostly less than a hundredth more.

    Args:
        matrices: ``[..., rows, columns]``, finite.
    """
    largest = float(np.abs(matrices).max(initial=0.0))
    if largest == 0:
        return 0.0
    unit = 2.0 ** math.frexp(largest)[1]
    scaled = matrices / unit  # exact, but for what is subnormal beside the largest element
    rows, columns = scaled.shape[-2:]
    found = _by_rows_and_columns(np.abs(scaled))
    if min(rows, columns) <= _LARGEST_ORDER:
        found = min(found, _by_cholesky(scaled if rows <= columns else scaled.swapaxes(-1, -2)))
    return rounded_up(found * unit)


def rounded_up(number: float) -> float:
    """Return the next power of 2^(1/512) but one."""
    return float(2.0 ** ((math.floor(math.log2(number) * _PLACES) + 2) / _PLACES)) if number > 0 else 0.0


def _by_rows_and_columns(sizes: NDArray[np.float64]) -> float:
    """Return at least the smaller of ||A||_F and sqrt(||A||_1 ||A||_inf)."""
    frobenius = np.sqrt((sizes**2).sum(axis=(-1, -2)))
    crossed = np.sqrt(sizes.sum(axis=-1).max(axis=-1) * sizes.sum(axis=-2).max(axis=-1))
    return float(np.minimum(frobenius, crossed).max()) * (1 + _gamma(sizes.shape[-1] * sizes.shape[-2] + 8))


def _by_cholesky(matrices: NDArray[np.float64] | NDArray[np.complex128]) -> float:
    """Return the bound of the module's docstring for matrices that are no higher than wide; infinite without one."""
    order, columns = matrices.shape[-2:]
    products = matrices @ matrices.conj().swapaxes(-1, -2)
    guess, identity = _guess(products) * _FIRST, np.eye(order)
    for _ in range(_TRIES):
        try:
            np.linalg.cholesky(guess * identity - products)
        except np.linalg.LinAlgError:
            guess *= _MORE
            continue
        squares = float((np.abs(matrices) ** 2).sum(axis=(-1, -2)).max())
        return math.sqrt(guess + _gamma(order + columns + 8) * (order * guess + squares)) * (1 + 8 * _U)
    return math.inf


def _guess(products: NDArray[np.float64] | NDArray[np.complex128]) -> float:
    """Return about the largest eigenvalue, by power iteration."""
    vector = np.ones(products.shape[:-1]) + np.linspace(0, 0.5, products.shape[-1])
    size = np.ones((*products.shape[:-2], 1))
    for _ in range(_POWERS):
        vector = np.einsum("...ij,...j->...i", products, vector)
        size = np.linalg.norm(vector, axis=-1, keepdims=True)
        vector = vector / np.where(size > 0, size, 1)
    return float(size.max())


def _gamma(n: int) -> float:
    """Return n roundings of float64, eight times for those of complex numbers and of the sum itself."""
    return 8 * n * _U / (1 - 8 * n * _U)
