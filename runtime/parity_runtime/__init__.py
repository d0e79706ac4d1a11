"""Predict with a model package: open it, verify it, and predict rows, with numpy and onnxruntime and without torch.

>>> from parity_runtime import Predictor
>>> predictor = Predictor("tests/data/xor")
>>> predictor.predict([[0.1, 0.9], [0.9, 1.1]]).tolist()
[1, 0]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from parity_runtime.version import __version__

if TYPE_CHECKING:
    from parity_runtime.contract import ModelContract
    from parity_runtime.drift.compare_with_training import compare_with_training
    from parity_runtime.drift.drift_report import DriftReport
    from parity_runtime.errors import (
        ConformanceError,
        DigestError,
        FormatError,
        GateError,
        InputError,
        LimitError,
        MissingExtraError,
        ParityError,
        ParityRefusedError,
        ProviderError,
    )
    from parity_runtime.feature import Feature
    from parity_runtime.inference.predictor import Predictor
    from parity_runtime.inference.unknown_categories import UnknownCategoriesWarning
    from parity_runtime.package.loader import UncheckedModelWarning
    from parity_runtime.package.manifest import Package
    from parity_runtime.scoring.predict_batches import predict_batches
    from parity_runtime.scoring.predict_folder import predict_folder
    from parity_runtime.tensor_spec import TensorSpec
    from parity_runtime.tolerance import Tolerance
    from parity_runtime.verification.verify import Verification, verify

__all__ = [
    "ConformanceError",
    "DigestError",
    "DriftReport",
    "Feature",
    "FormatError",
    "GateError",
    "InputError",
    "LimitError",
    "MissingExtraError",
    "ModelContract",
    "Package",
    "ParityError",
    "ParityRefusedError",
    "Predictor",
    "ProviderError",
    "TensorSpec",
    "Tolerance",
    "UncheckedModelWarning",
    "UnknownCategoriesWarning",
    "Verification",
    "__version__",
    "compare_with_training",
    "predict_batches",
    "predict_folder",
    "verify",
]

_MODULES = {
    "contract": ("ModelContract",),
    "drift.compare_with_training": ("compare_with_training",),
    "drift.drift_report": ("DriftReport",),
    "feature": ("Feature",),
    "package.loader": ("UncheckedModelWarning",),
    "package.manifest": ("Package",),
    "inference.predictor": ("Predictor",),
    "inference.unknown_categories": ("UnknownCategoriesWarning",),
    "scoring.predict_batches": ("predict_batches",),
    "scoring.predict_folder": ("predict_folder",),
    "tensor_spec": ("TensorSpec",),
    "tolerance": ("Tolerance",),
    "verification.verify": ("Verification", "verify"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used: ``parity predict`` needs few of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"parity_runtime.{_MODULE_OF.get(name, 'errors')}"), name)
    globals()[name] = value
    return value
