"""An ONNX graph as the torch module that its own answers are judged by."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parity_export.onnx_module.functions import without_functions
from parity_export.onnx_module.graph import After, Graph
from parity_export.onnx_module.step import Step, Versions
from parity_export.onnx_module.values import Value


class GraphModule(nn.Module):
    """An ONNX graph, computed node by node.

    Each node is computed by the first that can: torch's operators, onnxruntime's kernel for that node alone, ONNX's
    reference evaluator. In float64 every float is float64: the inputs, the constants, and what a Cast to float32 or
    float16 gives; an integer that is cast to float32 is rounded to that first. Constants stay as the file holds them,
    shared by all copies, and are widened where they are used.

    >>> import onnx, torch
    >>> from parity_export.onnx_module.graph_module import GraphModule
    >>> graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"
    >>> module = GraphModule(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {graph}'))
    >>> module(torch.tensor([[-1.0, 2.0]]))
    (tensor([[0., 2.]]),)
    >>> module.double()(torch.tensor([[-1.0, 2.0]], dtype=torch.float64))
    (tensor([[0., 2.]], dtype=torch.float64),)

    Args:
        model: a ModelProto; tensors that lie outside of it stand in ``weights``.
        outputs: the values that it returns, in this order; the graph's own outputs if None.
        weights: arrays by initializer name; nothing is copied.
        only_float64: refuse an operator that nothing computes in float64; else onnxruntime's float32 kernel does, and
            `notes` says so.

    Attributes:
        inputs: the names of its arguments, in order: the graph's inputs that are no initializers.
        outputs: the names of what it returns.

    Raises:
        InputError: the graph has no such value, or holds an operator, or calls a function, in a form of another opset
            that nobody computes here. When called: nothing computes an operator.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        outputs: Sequence[str] | None = None,
        weights: Mapping[str, NDArray[Any]] | None = None,
        *,
        only_float64: bool = False,
    ) -> None:
        super().__init__()
        model = without_functions(model)
        initializers = {tensor.name for tensor in model.graph.initializer}
        self.inputs = [value.name for value in model.graph.input if value.name not in initializers]
        self.outputs = [value.name for value in model.graph.output] if outputs is None else list(outputs)
        self._graph = Graph(model.graph, Versions.of(model, only_float64=only_float64), self.outputs, weights)
        self._double = False
        # Names of an ONNX file hold dots, which register_buffer refuses.
        self._buffers.update({name: one for name, one in self._graph.constants.items() if isinstance(one, Tensor)})
        self.eval()

    def forward(self, *inputs: Tensor) -> tuple[Value, ...]:
        """Return the outputs of one tensor for each input."""
        with torch.no_grad():
            return tuple(self._graph(dict(zip(self.inputs, inputs, strict=True)), double=self._double))

    def observed(self, inputs: Sequence[Value], after: After) -> list[Value]:
        """Return the outputs, which torch may differentiate, and show what every node computes.

        Args:
            inputs: one for each input.
            after: is given each node, its operands and its results, and returns what stands in their place.
        """
        return self._graph(dict(zip(self.inputs, inputs, strict=True)), double=self._double, after=after)

    def double(self) -> "GraphModule":
        """Compute in float64 from now on; the constants stay as they are."""
        self._double = True
        return self

    def float(self) -> "GraphModule":
        """Compute in the file's own dtypes from now on."""
        self._double = False
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "GraphModule":
        """Return a copy with its own precision; constants are shared, but for those that ``memo`` exchanges."""
        copied = copy.copy(self)
        copied._buffers = {name: memo.get(id(one), one) for name, one in self._buffers.items()}
        copied._graph = self._graph.with_constants(copied._buffers)
        return copied

    def steps(self) -> list[Step]:
        """Return the nodes that are computed, in order, those of subgraphs behind the one that runs them."""
        return list(_steps(self._graph))

    @property
    def notes(self) -> tuple[str, ...]:
        """Which operators nothing but onnxruntime's own kernels computed in float64, of what has run: a line."""
        own = dict.fromkeys(step.operator for step in self.steps() if step.judges_itself)
        if not own:
            return ()
        return (
            f"{', '.join(own)}: nothing computes it in float64; its reference is onnxruntime's own kernel, given what "
            "float64 computed before it",
        )


def _steps(graph: Graph) -> Iterator[Step]:
    for step in graph.steps:
        yield step
        for body in step.bodies.values():
            yield from _steps(body)
