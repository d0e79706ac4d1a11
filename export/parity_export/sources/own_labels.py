"""The decision that an ONNX file of a classifier answers by itself, beside the scores that its package decides by."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

_TYPES = (TensorProto.INT64, TensorProto.INT32, TensorProto.STRING)
_NAMES = ("label", "class", "predict")
_DECIDING = ("ArgMax", "LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier")
_PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "Flatten", "ArrayFeatureExtractor", "LabelEncoder")


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
    makers = {name: node for node in model.graph.node for name in node.output if name}
    return [
        value
        for value in model.graph.output
        if value.name not in chosen
        and value.type.tensor_type.elem_type in _TYPES
        and (any(word in value.name.lower() for word in _NAMES) or _decides(value.name, makers))
    ]


def _decides(name: str, makers: Mapping[str, NodeProto]) -> bool:
    maker = makers.get(name)
    while maker is not None and maker.op_type in _PASSING:
        name = maker.input[-1 if maker.op_type == "ArrayFeatureExtractor" else 0]
        maker = makers.get(name)
    return maker is not None and maker.op_type in _DECIDING and maker.output[0] == name
