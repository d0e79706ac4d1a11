"""What sklearn-onnx says of a classifier or a regressor: class labels stand in its operators' attributes."""

from collections.abc import Iterator

from onnx import NodeProto, TensorProto

from parity_export.sources.onnx_file.meaning import Meaning
from parity_export.sources.onnx_file.read_file import OnnxFile
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.printable import counted

_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_LABEL, _VALUE = "output_label", "variable"
_PROBABILITIES = ("output_probability", "probabilities")


def read(file: OnnxFile) -> Meaning | None:
    """Return what sklearn-onnx says of a file; None of a file of somebody else's."""
    graph = file.model.graph
    if file.model.producer_name != "skl2onnx":
        return None
    outputs = {value.name: value for value in graph.output}
    if list(outputs) == [_VALUE] and outputs[_VALUE].type.tensor_type.elem_type == TensorProto.FLOAT:
        return Meaning(OutputSpec("regression"), notes=("the task regression is from sklearn-onnx's output variable",))
    probabilities = next((name for name in outputs if name in _PROBABILITIES), None)
    labels = next(_class_labels(graph.node), ())
    if probabilities is None or len(labels) < 2:
        return None
    value = _before_zip_map(graph.node, probabilities)
    said = f"the task multiclass and {counted(len(labels), 'class')} are from sklearn-onnx's graph"
    left = "" if value == probabilities else f"; {probabilities} is taken as it is before the dictionaries of ZipMap"
    return Meaning(OutputSpec("multiclass", "probabilities", labels), value, (said + left,))


def _class_labels(nodes: list[NodeProto]) -> Iterator[tuple[str | int, ...]]:
    """Yield the class labels of each operator that has any."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in _LABELS:
                labels = tuple(label.decode() for label in attribute.strings) or tuple(map(int, attribute.ints))
                if labels:
                    yield labels


def _before_zip_map(nodes: list[NodeProto], name: str) -> str:
    maker = next((node for node in nodes if name in node.output), None)
    return maker.input[0] if maker is not None and maker.op_type == "ZipMap" else name
