"""How the error bound of a tensor is known while the graph is built."""

from dataclasses import dataclass

import onnx_ir as ir


@dataclass(frozen=True)
class Factor:
    """Scalars that a value was multiplied by last, one after the other; a backend may multiply by some of them later.

    Attributes:
        low: the smallest product of the last of them, however many; 1 or less.
        high: the largest; 1 or more.
        roundings: that multiplying later adds: one for each, two for a reciprocal.
    """

    low: float = 1.0
    high: float = 1.0
    roundings: int = 0

    def then(self, scalar: float, roundings: int) -> "Factor":
        """Return the factor after one more multiplication."""
        return Factor(min(1.0, scalar * self.low), max(1.0, scalar * self.high), self.roundings + roundings)


@dataclass(frozen=True)
class Folding:
    """What a value must be known by if a backend may fold a following affine map into the linear map that gives it.

    Attributes:
        roundings: n; of the sum of its terms' magnitudes the error bound holds as much as `rounding_model.of_a_sum`.
        smallest: the smallest magnitude of a weight that is not zero.
        largest: the largest magnitude of a weight.
        alpha: the smallest and the largest scalar that may be multiplied by at the end.
        spare: how many roundings more of each term the error bound pays for already.
    """

    roundings: int
    smallest: float
    largest: float
    alpha: tuple[float, float] = (1.0, 1.0)
    spare: int = 0


@dataclass(frozen=True)
class Norm:
    """What the Euclidean norm over some axes says of the part of an error that t stands for (`Bound`).

    It is at most ``scale tensor + relative ||v'|| + constant sqrt(n)`` units, n the number of elements of the axes.

    Attributes:
        tensor: computed in the graph, of v's shape with 1 in the place of the axes.
        axes: of v, in ascending order.
        layers: how many linear maps the value has behind it.
        beside: the t that it stands beside; a bound with another t has no norm, so that a rule that says nothing of the
            norm cannot keep one that is not its own.
        scale: at least 1 for what the tensor's own evaluation may have lost by rounding.
        relative: of the norm of v'.
        constant: the same for every element.
    """

    tensor: ir.Value
    axes: tuple[int, ...]
    layers: int
    beside: ir.Value | None
    scale: float = 1.0
    relative: float = 0.0
    constant: float = 0.0


@dataclass(frozen=True)
class Bound:
    """Every compliant evaluation of a tensor v lies within ``scale t + relative |v'| + constant`` units of v.

    v is the exact value, v' the one that the graph at hand computed, a unit is `arithmetic.UNIT`. Where a number is not
    finite nothing is claimed. The parts are added up in the graph only where a rule needs their sum.

    The error of an evaluation is the sum of two: each element of the first is at most ``scale t``, each of the second
    at most ``relative |v'| + constant``. Of the first a norm may be known as well.

    Attributes:
        tensor: t, computed in the graph, of v's shape; None where there is none.
        scale: at least 1 for what t's own evaluation may have lost by rounding.
        relative: of |v'|.
        constant: the same for every element.
        folding: where v comes from a linear map.
        factor: what v was multiplied by last.
        norm: of the first part; read by `norms.norm_of` alone.
    """

    tensor: ir.Value | None = None
    scale: float = 1.0
    relative: float = 0.0
    constant: float = 0.0
    folding: Folding | None = None
    factor: Factor = Factor()
    norm: Norm | None = None
