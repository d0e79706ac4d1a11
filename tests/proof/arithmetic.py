"""Ways to compute: exactly (in float64), and every way that a compliant backend may choose in float32."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from parity_export.error_bounds.elementary_functions import accuracy
from parity_export.error_bounds.registry import ELEMENTARY

TINY = np.float32(2.0**-126)
Array = NDArray[np.generic]


class Exact:
    """Float64: its own errors are 2^-29 of float32's."""

    dtype = np.float64

    def read(self, x: Array) -> Array:
        return x

    def rounded(self, x: Array) -> Array:
        return x

    def dot(self, x: Array, weight: Array, bias: Array | None) -> Array:
        product = x @ weight
        return product if bias is None else product + bias

    def function(self, name: str, x: Array) -> Array:
        return ELEMENTARY[name].exact(torch.from_numpy(np.ascontiguousarray(x))).numpy()


@dataclass
class Compliant:
    """One compliant backend.

    Attributes:
        order: of a sum: ``forward``, ``backward``, ``random``, ``small`` (small terms first), ``large``, ``tree``, or
            ``adversarial +1`` and ``-1``: the next term is the one whose addition errs most in that direction.
        fused: products are not rounded before they are added (FMA).
        wide: sums are kept in float64 and rounded once.
        flush: subnormal numbers become zero where they are written, and where they are read.
        fold: affine maps are folded into the linear map before them.
        error: what an elementary function adds of what it may: -1, 0 or 1 times, or ``random``.
    """

    order: str = "forward"
    fused: bool = False
    wide: bool = False
    flush: bool = False
    fold: bool = False
    error: float | str = 0.0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    dtype = np.float32

    def read(self, x: Array) -> Array:
        return np.where(np.abs(x) < TINY, 0, x).astype(x.dtype) if self.flush and x.dtype == np.float32 else x

    def rounded(self, x: Array) -> Array:
        """Round what was computed in float64: for one operation on float32 that is as if it had been rounded once."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.read(np.asarray(x, np.float64).astype(np.float32))

    def dot(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """Return ``x [..., k] @ weight [k, m] + bias [m]``, term by term; or of stacks, ``weight [..., k, m]``."""
        x, weight = self.read(x).astype(np.float64), self.read(weight).astype(np.float64)
        parts = list(weight) if weight.ndim == 2 else np.split(weight, weight.shape[-2], axis=-2)
        terms = [x[..., index, None] * part for index, part in enumerate(parts)]  # exact in float64
        if bias is not None:
            terms.append(np.broadcast_to(self.read(bias).astype(np.float64), terms[0].shape))
        if self.wide:
            return self.rounded(sum(terms))
        if not self.fused:
            terms = [self.rounded(term).astype(np.float64) for term in terms]
        if self.order == "tree":
            return self._tree(terms)
        if self.order.startswith("adversarial"):
            return self._adversarial(terms, float(self.order.split()[1]))
        total = np.zeros_like(terms[0])
        for term in self._in_order(terms):
            total = self.rounded(total + term).astype(np.float64)
        return total.astype(np.float32)

    def function(self, name: str, x: Array) -> Array:
        exact = Exact().function(name, self.read(x).astype(np.float64))
        known = accuracy(name)
        share = self.random.uniform(-1, 1, exact.shape) if self.error == "random" else self.error
        moved = exact + share * (known.alpha * np.abs(exact) + known.beta)
        nearest = self.rounded(moved)
        within = np.abs(nearest - exact) <= known.alpha * np.abs(exact) + known.beta
        return np.where(within, nearest, self.rounded(exact))

    def _in_order(self, terms: list[Array]) -> list[Array]:
        if self.order == "backward":
            return terms[::-1]
        if self.order == "random":
            return [terms[index] for index in self.random.permutation(len(terms))]
        if self.order in ("small", "large"):
            stacked = np.stack(terms)
            by_size = np.argsort(np.abs(stacked) * (1 if self.order == "small" else -1), axis=0)
            return list(np.take_along_axis(stacked, by_size, axis=0))
        return terms

    def _adversarial(self, terms: list[Array], sign: float) -> Array:
        left = np.stack(terms)
        total = np.zeros_like(left[0])
        for _ in terms:
            sums = self.rounded(total + left).astype(np.float64)
            error = np.where(np.isnan(left), -np.inf, sign * (sums - (total + left)))
            worst = error.argmax(axis=0)[None]
            total = np.take_along_axis(sums, worst, axis=0)[0]
            np.put_along_axis(left, worst, np.nan, axis=0)  # used
        return total.astype(np.float32)

    def _tree(self, terms: list[Array]) -> Array:
        while len(terms) > 1:
            pairs = [self.rounded(a + b).astype(np.float64) for a, b in zip(terms[::2], terms[1::2], strict=False)]
            terms = pairs + terms[len(pairs) * 2 :]
        return self.rounded(terms[0])


COMPLIANT = {
    "forward": Compliant(),
    "backward, FMA": Compliant("backward", fused=True),
    "random, flushed, functions above": Compliant("random", flush=True, error=1.0),
    "small first, functions below": Compliant("small", error=-1.0),
    "large first, folded": Compliant("large", fold=True, error="random"),
    "in float64, flushed, functions above": Compliant(wide=True, flush=True, error=1.0),
    "tree, FMA, flushed, folded": Compliant("tree", fused=True, flush=True, fold=True, error="random"),
}
