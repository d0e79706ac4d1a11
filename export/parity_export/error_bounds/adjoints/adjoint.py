"""What the backward pass knows: of an operator its own error and its slopes, of a value what it is worth to an answer.

For an operator y = F(x, ...) and every compliant evaluation

    y~ - y = sum over its operands of S (x~ - x) + eta,    |eta| <= own

with a linear S that lies within known bounds (proof.md, "Backwards from the margin"). So an error of an answer is
the sum over all operators of A . eta, where A, the adjoint of y, is the product of all S behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from parity_export.error_bounds.bound import Bound


@dataclass(frozen=True)
class Adjoint:
    """The adjoints of a value v, one for each seed: A = a + d, |d| <= |d'| + relative |a|, ||d'|| <= scale rho + floor.

    Attributes:
        nominal: a, ``[batch or 1, seeds, *v.shape[1:]]``.
        sizes: ``v.shape[1:]``.
        norm: rho, ``[batch or 1, seeds, 1]``; None where it is 0.
        scale: at least 1 for what rho's own evaluation may have lost by rounding.
        relative: of |a|, element by element.
        floor: the same for every row.
        paid: rho holds so many times ||a|| already, for the roundings of the product with a matrix.
        terms: of the sums that a is from; 0 where it is from no product with a matrix, or not from that alone.
    """

    nominal: ir.Value
    sizes: tuple[int, ...]
    norm: ir.Value | None = None
    scale: float = 1.0
    relative: float = 0.0
    floor: float = 0.0
    paid: float = 0.0
    terms: int = 0


Pull = Callable[[Adjoint], Adjoint]
"""From the adjoint of an operator's result to that of an operand: times S, transposed. Appends nodes."""


@dataclass(frozen=True)
class Step:
    """An operator that the backward pass goes through; at every other one it ends.

    Attributes:
        own: bounds eta, in the form of an error bound.
        passages: operands, and how the adjoint of the result becomes theirs.
    """

    own: Bound
    passages: tuple[tuple[ir.Value, Pull], ...]
