"""Where a proof begins in the graph of a table: at what the encoder computes, if it is the encoder that Parity writes.

The encoder's texts, integers and comparisons of integers are exact, and the year that it casts to float32 is rounded
alike everywhere: what it computes is the same in every evaluation, and takes the place of inputs. That is argued of one
graph, which docs/proof.md describes: the encoder that is written for the contract. Another one is refused.
"""

import hashlib
from collections.abc import Mapping

import onnx_ir as ir

from parity_export.error_bounds.errors import CannotCertifyError
from parity_export.graph.attach_encoder import encoded_name, graph_inputs, write_encoder
from parity_export.graph.encoder_nodes import EncoderNodes
from parity_runtime import ModelContract
from parity_training.data.encode_columns import is_encoded


def encoded_values(graph: ir.Graph, contract: ModelContract) -> list[ir.Value]:
    """Return the values that a contract's encoder computes for the network; none where the contract has no encoder.

    Raises:
        CannotCertifyError: they are not there, or computed by other nodes than those that Parity writes.
    """
    if not is_encoded(contract):
        return []
    wanted = write_encoder(EncoderNodes(ir.Graph([], [], nodes=[])), contract, graph_inputs(contract))
    found = {str(value.name): value for node in graph for value in node.outputs}
    values = []
    for name, value in wanted.items():
        inner = found.get(encoded_name(contract, name))
        if inner is None or _print(inner, {}) != _print(value, {}):
            raise CannotCertifyError(
                f"cannot certify: {encoded_name(contract, name)} is not computed by the encoder that parity export "
                "writes for these columns; export it again"
            )
        values.append(inner)
    return values


def _print(value: ir.Value, known: dict[ir.Value, bytes]) -> bytes:
    """Return a digest of how a value is computed: operators, attributes, constants, and the names of inputs."""
    if value not in known:
        node = value.producer()
        if node is not None:
            inputs = [b"" if one is None else _print(one, known) for one in node.inputs]
            place = str(list(node.outputs).index(value))
            parts = [
                node.domain.encode(),
                node.op_type.encode(),
                place.encode(),
                *_attributes(node.attributes),
                *inputs,
            ]
        elif value.const_value is not None and not value.is_graph_input():
            array = value.const_value.numpy()
            parts = [b"constant", array.dtype.str.encode(), str(array.shape).encode(), array.tobytes()]
        else:
            parts = [b"input", str(value.name).encode()]
        known[value] = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).digest()
    return known[value]


def _attributes(attributes: Mapping[str, ir.Attr]) -> list[bytes]:
    return [f"{name} {attribute.type} {attribute.value!r}".encode() for name, attribute in sorted(attributes.items())]
