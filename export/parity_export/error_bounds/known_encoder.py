"""Where a proof begins in the graph of a table: at what the encoder computes, if it is the encoder that Parity writes.

The encoder's texts, integers and comparisons of integers are exact, and the year that it casts to float32 is rounded
alike everywhere: what it computes is the same in every evaluation, and takes the place of inputs. That is argued of one
graph, which docs/explanation/proof.md describes: the encoder that is written for the contract. Another one is refused.
"""

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from parity_export.error_bounds.errors import CannotCertifyError
from parity_export.graph.attach_encoder import encoded_name, graph_inputs, write_encoder
from parity_export.graph.encoder_nodes import EncoderNodes
from parity_runtime import ModelContract
from parity_runtime.contract import is_encoded


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
        if inner is None or not is_same(inner, value, set()):
            raise CannotCertifyError(
                f"cannot certify: {encoded_name(contract, name)} is not computed by the encoder that parity export "
                "writes for these columns; export it again"
            )
        values.append(inner)
    return values


def is_same(found: ir.Value | None, wanted: ir.Value | None, known: set[tuple[ir.Value, ir.Value]]) -> bool:
    """Whether a value is computed as another is, down to inputs of the same names and equal constants.

    It goes as deep as the wanted one, whatever the found one stands behind; pairs that were met are known.
    """
    if found is None or wanted is None:
        return found is wanted
    if (found, wanted) in known:
        return True
    known.add((found, wanted))
    mine, theirs = found.producer(), wanted.producer()
    if mine is None or theirs is None:
        return mine is theirs and _same_leaf(found, wanted)
    return (
        (mine.domain, mine.op_type, len(mine.outputs), len(mine.inputs))
        == (theirs.domain, theirs.op_type, len(theirs.outputs), len(theirs.inputs))
        and _attributes(mine) == _attributes(theirs)
        and all(is_same(one, other, known) for one, other in zip(mine.inputs, theirs.inputs, strict=True))
    )


def _same_leaf(found: ir.Value, wanted: ir.Value) -> bool:
    """Whether two values that no node computes are the same constant, or inputs of the same name."""
    mine, theirs = _constant(found), _constant(wanted)
    if mine is None or theirs is None:
        return mine is theirs and found.name == wanted.name
    return (mine.dtype, mine.shape, mine.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def _constant(value: ir.Value) -> NDArray[Any] | None:
    """Return what a value is in every evaluation; None for an input, whose default a caller may replace."""
    return None if value.const_value is None or value.is_graph_input() else value.const_value.numpy()


def _attributes(node: ir.Node) -> dict[str, tuple[ir.AttributeType, Any]]:
    return {name: (attribute.type, attribute.value) for name, attribute in node.attributes.items()}
