"""What sklearn-onnx says of a classifier or a regressor: class labels stand in its operators' attributes."""

from collections.abc import Iterator, Sequence

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from parity_export.onnx_module.node_search import maker_of
from parity_export.sources.onnx_file.meaning import Meaning
from parity_export.sources.onnx_file.read_file import OnnxFile
from parity_export.sources.output_spec import OutputSpec
from parity_runtime.contract import Task
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
    if probabilities is None:
        return None
    labels = class_labels(file.model, _width(outputs[probabilities]))
    if len(labels) < 2:
        return None
    if any(node.op_type == "SVMClassifier" and not _fits_probabilities(node) for node in graph.node):
        note = f"{probabilities} holds a support vector machine's scores of pairs: it is left without a meaning"
        return Meaning(notes=(note,))
    value = before_zip_map(graph.node, probabilities)
    scores = _are_scores(graph.node, value)
    task: Task = "binary" if len(labels) == 2 and _width(outputs[probabilities]) == 1 else "multiclass"
    said = f"the task {task} and {counted(len(labels), 'class')} are from sklearn-onnx's graph"
    said += "" if value == probabilities else f"; {probabilities} is taken as it is before the dictionaries of ZipMap"
    said += f"; {probabilities} holds scores, which are taken as logits" if scores else ""
    return Meaning(OutputSpec(task, "logits" if scores else "probabilities", labels), value, (said,))


def _width(output: ValueInfoProto) -> int:
    """Return how many numbers a row of an output has, as the file declares it; 0 where it does not."""
    declared = output.type.tensor_type.shape.dim
    return declared[1].dim_value if len(declared) == 2 else 0


def class_labels(model: ModelProto, count: int = 0) -> tuple[str | int, ...]:
    """Return the labels that a classifier of a graph names, in the order of its scores; none without one.

    Args:
        model: the file's.
        count: of its scores: a classifier of one class against the others names fewer. 0 where nobody knows it.
    """
    known = [labels for labels in _class_labels(model.graph.node) if not count or len(labels) in (count, count + 1)]
    return next((labels for labels in known if len(labels) == count), known[0] if known and count < 2 else ())


def _class_labels(nodes: Sequence[NodeProto]) -> Iterator[tuple[str | int, ...]]:
    """Yield the class labels of each operator that has any."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in _LABELS:
                labels = tuple(label.decode() for label in attribute.strings) or tuple(map(int, attribute.ints))
                if labels:
                    yield labels


def _are_scores(nodes: Sequence[NodeProto], name: str) -> bool:
    """Whether what sklearn-onnx calls probabilities are the scores of a linear classifier that fits none."""
    maker, _ = maker_of(name, nodes, dict.fromkeys(("Cast", "Identity", "ArrayFeatureExtractor"), 0))
    if maker is None or maker.op_type != "LinearClassifier":
        return False
    return all(one.s == b"NONE" for one in maker.attribute if one.name == "post_transform")


def _fits_probabilities(node: NodeProto) -> bool:
    return any(attribute.name == "prob_a" and attribute.floats for attribute in node.attribute)


def before_zip_map(nodes: Sequence[NodeProto], name: str) -> str:
    """Return the tensor that an output of dictionaries is made of; of another output itself."""
    maker = next((node for node in nodes if name in node.output), None)
    return maker.input[0] if maker is not None and maker.op_type == "ZipMap" else name
