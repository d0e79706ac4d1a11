"""Export: a run, or any module, into a model package that proved itself."""

from parity_export.export import Exported, export_package
from parity_export.source import Meaning, ModelSource, load_module, source_from_module, source_from_run

__all__ = [
    "Exported",
    "Meaning",
    "ModelSource",
    "export_package",
    "load_module",
    "source_from_module",
    "source_from_run",
]
