"""The decision that an ONNX file of a classifier answers by itself, beside the scores that its package decides by."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from parity_export.onnx_module.node_search import maker_of

_TYPES = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
_NAMES = ("label", "class", "predict")
_DECIDING = ("ArgMax", "LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
_PASSING = dict.fromkeys(("Identity", "Cast", "Reshape", "Squeeze", "Flatten", "LabelEncoder"), 0) | {
    "ArrayFeatureExtractor": 1
}


@dataclass(frozen=True)
class OwnLabels:
    """What a file itself decides.

    Attributes:
        model: the file's graph with these outputs alone.
        classes: the labels that its operators name, in the order of its scores; empty where none names any.
    """

    model: ModelProto
    classes: tuple[str | int, ...] = ()


def label_outputs(model: ModelProto, chosen: Collection[str]) -> list[ValueInfoProto]:
    """Return the outputs in which a file decides itself: whole numbers or text, called or made like a decision.

    Args:
        model: the file's.
        chosen: the outputs that are taken, which are none.
    """
    return [
        value
        for value in model.graph.output
        if value.name not in chosen
        and value.type.tensor_type.elem_type in _TYPES
        and (any(word in value.name.lower() for word in _NAMES) or _decides(value.name, model.graph.node))
    ]


def _decides(name: str, nodes: Sequence[NodeProto]) -> bool:
    maker, name = maker_of(name, nodes, _PASSING)
    return maker is not None and maker.op_type in _DECIDING and maker.output[0] == name
