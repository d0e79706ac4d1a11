"""Export a run or any ``torch.nn.Module`` to an ONNX package, and validate it: both compute the same outputs.

>>> from parity_export import ExportOptions, export_package, source_from_run
>>> from parity_training import XORSettings, train_xor
>>> run = train_xor("runs/xor", XORSettings(size=200, epochs=2), replace=True)
>>> export_package(source_from_run(run), "packages/xor", ExportOptions(replace=True, plots=False))
Exported('packages/xor', binary, 2 features)
"""

from parity_export.adopt import adopt_package
from parity_export.check_model import assert_parity, check_model
from parity_export.export import Exported, export_package
from parity_export.export_options import ExportOptions
from parity_export.sources.load_module import load_module, load_sample
from parity_export.sources.model_source import ModelSource, source_from_module
from parity_export.sources.onnx_file.source_from_onnx import Adoption, source_from_onnx
from parity_export.sources.output_spec import OutputSpec
from parity_export.sources.probe_options import ProbeOptions
from parity_export.sources.trained_source import source_from_estimator, source_from_run

__all__ = [
    "Adoption",
    "ExportOptions",
    "Exported",
    "ModelSource",
    "OutputSpec",
    "ProbeOptions",
    "adopt_package",
    "assert_parity",
    "check_model",
    "export_package",
    "load_module",
    "load_sample",
    "source_from_estimator",
    "source_from_module",
    "source_from_onnx",
    "source_from_run",
]
