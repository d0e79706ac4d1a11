"""What ultralytics writes into an ONNX file's metadata: its task, the names of the classes, the size of images."""

import ast
from typing import Any

from parity_export.sources.onnx_file.meaning import Meaning
from parity_export.sources.onnx_file.read_file import OnnxFile
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.printable import counted

_LONGEST = 2**20  # characters of names
_CHANNELS = 3


def read(file: OnnxFile) -> Meaning | None:
    """Return what ultralytics says of a file; None of a file of somebody else's."""
    told = {entry.key: entry.value for entry in file.model.metadata_props}
    if told.get("author") != "Ultralytics" or "task" not in told:
        return None
    names, inputs = _literal(told.get("names", "")), _images(file, told)
    notes = tuple("images in 0..1, as ultralytics divides them by 255" for _ in inputs)
    classes = tuple(map(str, names.values())) if isinstance(names, dict) else ()
    if told["task"] == "classify" and len(classes) > 1 and len(set(classes)) == len(classes):
        said = f"the task and {counted(len(classes), 'class')} are from ultralytics' metadata (classify, names)"
        spec = OutputSpec("multiclass", "probabilities", classes)
        return Meaning(spec, notes=(said,), inputs=inputs, input_notes=notes)
    said = (
        f"ultralytics' metadata say the task {told['task'][:40]!r}, whose outputs stay tensors; the names of "
        f"{counted(len(classes), 'class')} stay in model.onnx's metadata (names)"
    )
    return Meaning(notes=(said,), inputs=inputs, input_notes=notes)


def _images(file: OnnxFile, told: dict[str, str]) -> tuple[str, ...]:
    """Return the specification of the one input, images, of the size that they are trained in where it may change."""
    inputs, size = file.model.graph.input, _literal(told.get("imgsz", ""))
    is_size = isinstance(size, list) and len(size) == 2 and all(isinstance(one, int) for one in size)
    if len(inputs) != 1 or not is_size:
        return ()
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 2 + len(size):
        return ()
    batch = dims[0].dim_value or dims[0].dim_param or "batch"
    channels = dims[1].dim_value or _CHANNELS
    sizes = ", ".join(map(str, (batch, channels, *size)))
    return (f"{inputs[0].name}: float32[{sizes}] in 0..1",)


def _literal(text: str) -> Any:
    """Read a Python literal; None of anything else."""
    try:
        return ast.literal_eval(text) if len(text) < _LONGEST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
