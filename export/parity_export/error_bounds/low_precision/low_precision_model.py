"""Which labels survive a lower precision: a certified graph in float32, and the one that is computed in it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parity_export.error_bounds.certified_model import CertifiedModel
from parity_export.error_bounds.precision import PRECISIONS, Precision
from parity_export.error_bounds.propagate import propagate_error_bounds
from parity_export.gate.backends import DEFAULT
from parity_export.gate.batching import LazyModel, ModelFunction
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract
from parity_runtime.contract import CERTIFIED, ERROR_BOUND, LABEL
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import Package

LowerPrecision = Literal["tf32", "float16", "bfloat16"]

CHANGES = "changes"
"""Of a classifier, rows whose label is proven to be another one in the lower precision."""

_DESCRIBED = {
    "tf32": "the factors of products and convolutions cut or rounded to 11 bits, sums and all else in float32",
    "float16": "constants, inputs and every operator's result rounded to float16, sums in float32",
    "bfloat16": "constants, inputs and every operator's result rounded to bfloat16, sums in float32",
}


@dataclass(frozen=True, kw_only=True)
class LowPrecisionModel(CertifiedModel):
    """A certified graph that says what stays as it is in a lower precision.

    Its ``certified`` is true where every evaluation in float32 and every one in the precision give the same label, its
    ``error_bound`` how far those in the precision may be from the answer beside it.

    Attributes:
        lower: the precision.
        low: the graph that is computed in it, with the error bounds of that.
    """

    lower: Precision
    low: OnnxGraph

    def __repr__(self) -> str:
        return f"LowPrecisionModel({self.contract.name!r}, {self.contract.brief}, {self.lower.name})"

    @classmethod
    def from_certified(
        cls, certified: CertifiedModel, plain: OnnxGraph, contract: ModelContract, lower: LowerPrecision
    ) -> "LowPrecisionModel":
        """Derive what survives of a model.

        Args:
            certified: the model in float32.
            plain: the same graph without error bounds.
            contract: of that.
            lower: the precision.

        Raises:
            CannotCertifyError: an operator has no rule, or none in this precision.
        """
        low = propagate_error_bounds(plain, contract, "tight", PRECISIONS[lower])
        return cls(**vars(certified), lower=PRECISIONS[lower], low=low)

    @classmethod
    def open_lower(
        cls, path: str | Path, lower: LowerPrecision, allow_operators: Collection[str] = ()
    ) -> "LowPrecisionModel":
        """Take a package, and derive what survives of it.

        Args:
            path: the package folder.
            lower: the precision.
            allow_operators: as in `CertifiedModel.open`.

        Raises:
            CannotCertifyError: an operator has no rule, or none in this precision.
            ParityError: the package cannot be opened.

        >>> from parity_export.error_bounds.low_precision.low_precision_model import LowPrecisionModel
        >>> model = LowPrecisionModel.open_lower("tests/data/xor", "bfloat16")
        >>> found = model.on_rows()([[0.1, 0.9], [0.5, 0.5]])
        >>> found["certified"].shape, found["error_bound"].shape
        ((2,), (2, 1))
        """
        certified = CertifiedModel.open(path, allow_operators)
        package = Package.open(path)
        plain = OnnxGraph.loaded(load_model(path, package.id, allow_operators=allow_operators))
        return cls.from_certified(certified, plain, package.contract, lower)

    def on_inputs(self) -> LazyModel:
        """Return what answers inputs by name with every output by name, and with `CHANGES`."""
        return LazyModel(
            lambda: self._both(DEFAULT.load(self.graph, self.contract), DEFAULT.load(self.low, self.contract))
        )

    def _both(self, plain: ModelFunction, low: ModelFunction) -> ModelFunction:
        def answer(inputs: Arrays) -> Arrays:
            found, lower = plain(inputs), low(inputs)
            values, others = (part[self.contract.bounded].astype(np.float64) for part in (found, lower))
            with np.errstate(invalid="ignore"):
                reach = np.abs(values - others) + lower[ERROR_BOUND]
            more = {ERROR_BOUND: _upward(reach)}
            if self.contract.is_classifier:
                proven, same = found[CERTIFIED] & lower[CERTIFIED], found[LABEL] == lower[LABEL]
                more |= {CERTIFIED: proven & same, CHANGES: proven & ~same}
            return found | more

        return answer

    def subject(self) -> str:
        """Return what the certificate speaks for, for a person."""
        return f"every evaluation of the graph with {_DESCRIBED[self.lower.name]}"


def _upward(reach: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round upward, and make what is no number infinite."""
    with np.errstate(over="ignore"):
        found = np.nextafter(reach.astype(np.float32), np.float32(np.inf))
    return np.where(np.isnan(found), np.float32(np.inf), found)
