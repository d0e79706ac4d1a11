"""The nodes of a graph and of the graphs within it, and the node that gives a value."""

from collections.abc import Iterable, Iterator, Mapping

from onnx import AttributeProto, GraphProto, NodeProto


def subgraphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    """Yield the graphs that an attribute holds."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def nodes_within(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes, and those of their subgraphs at every depth."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in subgraphs(attribute):
                yield from nodes_within(graph.node)


def captured(node: NodeProto) -> Iterator[str]:
    """Yield the values from outside that a node's subgraphs take."""
    for attribute in node.attribute:
        for graph in subgraphs(attribute):
            own = {value.name for value in (*graph.input, *graph.initializer)}
            own |= {name for inner in graph.node for name in inner.output} | {""}
            taken = [name for inner in graph.node for name in (*inner.input, *captured(inner))]
            yield from (name for name in (*taken, *(value.name for value in graph.output)) if name not in own)


def maker_of(name: str, nodes: Iterable[NodeProto], passing: Mapping[str, int]) -> tuple[NodeProto | None, str]:
    """Return the node that makes a value, behind those that pass it on, and what it calls it; None of a graph's input.

    Args:
        name: of the value.
        nodes: of its graph.
        passing: operators that pass a value on, and which of their inputs.
    """
    makers = {output: node for node in nodes for output in node.output if output}
    maker = makers.get(name)
    while maker is not None and maker.op_type in passing:
        name = maker.input[passing[maker.op_type]]
        maker = makers.get(name)
    return maker, name
