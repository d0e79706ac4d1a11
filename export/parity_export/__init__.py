"""Export a run or any ``torch.nn.Module`` to an ONNX package, and validate it: both compute the same outputs."""

from parity_export.adopt import adopt_package
from parity_export.check_model import assert_parity, check_model
from parity_export.export import Exported, export_package
from parity_export.export_options import ExportOptions
from parity_export.sources.load_module import load_module, load_sample
from parity_export.sources.model_source import (
    ModelSource,
    source_from_estimator,
    source_from_module,
    source_from_run,
)
from parity_export.sources.onnx_file.source_from_onnx import Adoption, source_from_onnx
from parity_export.sources.output_spec import OutputSpec
from parity_export.sources.probe_options import ProbeOptions

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
