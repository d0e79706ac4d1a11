"""How far an answer may lie from the float64 result, and where that figure is from."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity_runtime.errors import FormatError
from parity_runtime.files.json_file import finite_number
from parity_runtime.printable import shown


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The allowed deviation of one output: ``max(atol + rtol * |expected|, floor)``, elementwise.

    >>> from parity_runtime import Tolerance
    >>> Tolerance(rtol=1e-3, atol=1e-6, floor=0.5, source="by hand").allowed([0.0, 2000.0]).tolist()
    [0.5, 2.000001]

    Attributes:
        rtol: relative part, dimensionless.
        atol: absolute part, in the output's unit.
        floor: an absolute deviation that is always allowed, in the output's unit: 8 x the largest deviation of honest
            (correct) float32 evaluations of the model from float64 (docs/explanation/parity.md).
        source: where the figures are from, in words.
    """

    rtol: float
    atol: float
    floor: float
    source: str

    @property
    def in_words(self) -> str:
        """The rule with its figures, in words: ``1e-05 + 1.3e-06 x |value|, at least 1.46e-06``."""
        least = f", at least {self.floor:.3g}" if self.floor > self.atol else ""
        return f"{self.atol:.3g} + {self.rtol:.3g} x |value|{least}"

    def allowed(self, expected: ArrayLike) -> NDArray[np.float64]:
        """Return the allowed absolute deviation, float64, of the shape of ``expected`` and in the output's unit.

        Args:
            expected: the float64 result, of any shape.
        """
        relative = self.atol + self.rtol * np.abs(np.asarray(expected, np.float64))
        return np.maximum(relative, self.floor)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the tolerance of a JSON form; unknown keys are ignored.

        Args:
            value: the JSON form, as ``json.loads`` reads it.

        Raises:
            FormatError: a key is missing, negative or of another type.
        """
        if isinstance(value, dict) and {"rtol", "atol", "floor"} <= set(value):
            rtol, atol, floor = (finite_number(value[name], name) for name in ("rtol", "atol", "floor"))
            if min(rtol, atol, floor) >= 0:
                return cls(rtol, atol, floor, str(value.get("source", "")))
        raise FormatError(
            f"a tolerance is written as {{rtol, atol, floor, source}} with figures >= 0, found {shown(value)}"
        )
