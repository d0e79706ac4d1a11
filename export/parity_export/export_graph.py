"""What goes through an export, from stage to stage: a source, its graph, and one set of example inputs."""

from dataclasses import dataclass, replace

import onnx_ir as ir
from onnx import ModelProto

from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract


@dataclass(frozen=True, eq=False)
class ExportGraph:
    """A source and its graph.

    A stage that changes the graph returns another ``ExportGraph``; the forms of one graph are made once.

    Attributes:
        source: the module, and the contract as far as it is known.
        onnx: the graph in its forms.
    """

    source: ModelSource
    onnx: OnnxGraph

    @classmethod
    def of(cls, source: ModelSource, graph: bytes | ModelProto | ir.Model) -> "ExportGraph":
        """Return a source with a graph in any form."""
        return cls(source, OnnxGraph(graph))

    @property
    def contract(self) -> ModelContract:
        """The source's."""
        return self.source.contract

    @property
    def data(self) -> bytes:
        """The graph's bytes."""
        return self.onnx.data

    @property
    def model(self) -> ir.Model:
        """The onnx_ir model."""
        return self.onnx.model

    @property
    def example(self) -> Example:
        """The example inputs, with the sizes of the dynamic dimensions."""
        return self.source.example

    def with_model(self, model: ir.Model, contract: ModelContract) -> "ExportGraph":
        """Return another graph of the same source, and the contract that it fulfils."""
        return ExportGraph(replace(self.source, contract=contract), OnnxGraph(model))
