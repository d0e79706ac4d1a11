"""The runtime of Parity: the contract, the package, the predictor. numpy and onnxruntime, never torch.

from parity_runtime import Predictor

predictor = Predictor("packages/xor")
predictor.predict([[0.1, 0.9]])
"""

from parity_runtime.contract import Feature, ModelContract
from parity_runtime.errors import (
    ConformanceError,
    DigestError,
    FormatError,
    GateError,
    InputError,
    MissingExtraError,
    ParityError,
    ParityRefusedError,
    ProviderError,
)
from parity_runtime.package import Package
from parity_runtime.predictor import Predictor
from parity_runtime.tensor_spec import TensorSpec
from parity_runtime.tolerance import Tolerance
from parity_runtime.verification import Verification, verify
from parity_runtime.version import __version__

__all__ = [
    "ConformanceError",
    "DigestError",
    "Feature",
    "FormatError",
    "GateError",
    "InputError",
    "MissingExtraError",
    "ModelContract",
    "Package",
    "ParityError",
    "ParityRefusedError",
    "Predictor",
    "ProviderError",
    "TensorSpec",
    "Tolerance",
    "Verification",
    "__version__",
    "verify",
]
