"""Export: a run, or any module, into a model package that proved itself."""

from parity_export.export import Exported, export_package
from parity_export.foreign import assert_parity, check_model
from parity_export.loading import load_module, load_sample
from parity_export.meaning import Meaning
from parity_export.options import ExportOptions
from parity_export.source import ModelSource, source_from_module, source_from_run

__all__ = [
    "ExportOptions",
    "Exported",
    "Meaning",
    "ModelSource",
    "assert_parity",
    "check_model",
    "export_package",
    "load_module",
    "load_sample",
    "source_from_module",
    "source_from_run",
]
