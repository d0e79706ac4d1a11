"""What "computed in tf32, float16 or bfloat16" means; proof.md says it in words, and who computes so."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.rounding_model import FLUSH, gamma


@dataclass(frozen=True)
class Storage:
    """A format that every operator's result is rounded to, to nearest: |x~ - x| <= unit |x| + tiny.

    Attributes:
        dtype: of constants and inputs.
        unit: its unit roundoff.
        tiny: what rounding below its normal numbers loses.
        largest: its largest number.
    """

    dtype: ir.DataType
    unit: float
    tiny: float
    largest: float

    def rounded(self, array: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return numbers rounded to the format, to nearest, ties to even; infinite above its range."""
        with np.errstate(over="ignore"):
            return array.astype(self.dtype.numpy()).astype(np.float32)


@dataclass(frozen=True)
class Precision:
    """How an evaluation may differ from one that is compliant in float32.

    Attributes:
        name: of the format.
        operands: by how much either factor of a product that is summed may be changed, relatively.
        storage: what constants, inputs and results are rounded to; None where they stay as they are.
        sums: how many roundings of binary32 one addition of a sum of products counts for.
    """

    name: str
    operands: float = 0.0
    storage: Storage | None = None
    sums: int = 1

    @property
    def unit(self) -> float:
        """The unit roundoff of the format that results are kept in; 0 where they are not rounded to any."""
        return 0.0 if self.storage is None else self.storage.unit

    def roundings(self, count: int) -> int:
        """Return how many roundings of binary32 a term counts that takes part in so many of a sum's."""
        return self.sums * count

    def of_products(self, n: int) -> float:
        """Return by how much a term may be off that n roundings and its weight's own error change, relatively."""
        return gamma(n) + self.operands * (1 + gamma(n))


FLOAT32 = Precision("float32")

_SUMS = 4
"""A tensor core cuts off where binary32 rounds, with a bit or more to spare: docs/explanation/proof.md."""

PRECISIONS: dict[str, Precision] = {
    one.name: one
    for one in (
        Precision("tf32", operands=2.0**-10, sums=_SUMS),
        Precision("float16", storage=Storage(ir.DataType.FLOAT16, 2.0**-11, 2.0**-25, 65504.0), sums=_SUMS),
        Precision("bfloat16", storage=Storage(ir.DataType.BFLOAT16, 2.0**-8, FLUSH, np.inf), sums=_SUMS),
    )
}
"""The lower precisions, by name."""
