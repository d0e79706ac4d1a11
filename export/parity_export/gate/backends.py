"""The backends that a graph is run on: onnxruntime in every configuration, and ONNX's reference evaluator."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from parity_export.gate.batching import ModelFunction
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import FormatError, ModelContract, ProviderError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import OPTIMIZATIONS, Optimization, Provider, import_onnxruntime
from parity_runtime.printable import counted

BATCH_SIZES = (1, 2, 3, 7, 64, 1000)
THREADS = (1, 2)
REFERENCE_BATCH_SIZES = (1, 2, 3, 7)  # the reference evaluator is written in Python


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to run a graph.

    Attributes:
        runtime: ``onnxruntime``, or ``onnx-reference``, an implementation that shares no code with it.
        provider: of onnxruntime: ``cpu`` or ``cuda``.
        optimization: of onnxruntime: how far it may rewrite the graph.
        threads: of onnxruntime, within an operator.
    """

    runtime: str
    provider: Provider = "cpu"
    optimization: Optimization = "disabled"
    threads: int = 1

    def __str__(self) -> str:
        if self.runtime == "onnxruntime":
            return f"onnxruntime {self.provider}, optimization {self.optimization}, {counted(self.threads, 'thread')}"
        return "ONNX reference evaluator"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes that it is asked in."""
        return BATCH_SIZES if self.runtime == "onnxruntime" else REFERENCE_BATCH_SIZES

    @property
    def max_batches(self) -> int:
        """How many batches of one size it is asked."""
        return 64 if self.runtime == "onnxruntime" else 2

    def load(self, graph: OnnxGraph, contract: ModelContract) -> ModelFunction:
        """Return the graph's answers on this backend."""
        return self.load_values(graph, [spec.name for spec in contract.outputs])

    def load_values(self, graph: OnnxGraph, names: Sequence[str]) -> ModelFunction:
        """Return some outputs of a graph on this backend, by name."""
        if self.runtime == "onnxruntime":
            return _named_answers(graph.session(self.provider, self.threads, self.optimization), names)
        return _named_answers(graph.evaluator(), names)


REFERENCE = Backend("onnx-reference")

DEFAULT = Backend("onnxruntime", optimization="all")
"""As an application runs it."""


def backends(graph: OnnxGraph) -> Iterator[Backend]:
    """Yield every engine that a graph must pass, on every provider that really runs it here."""
    for provider in _providers(graph):
        for optimization in OPTIMIZATIONS:
            for threads in THREADS if provider == "cpu" else (1,):
                yield Backend("onnxruntime", provider, optimization, threads)
    yield REFERENCE


def session_answer(session: Any, contract: ModelContract) -> ModelFunction:
    """Return a session's answers, outputs by name."""
    return _named_answers(session, [spec.name for spec in contract.outputs])


def _named_answers(runner: Any, names: Sequence[str]) -> ModelFunction:
    """Return the answers of a session or an evaluator, by name."""

    def answer(inputs: Arrays) -> Arrays:
        return dict(zip(names, runner.run(names, inputs), strict=True))

    return answer


def _providers(graph: OnnxGraph) -> list[Provider]:
    if "CUDAExecutionProvider" not in import_onnxruntime().get_available_providers():
        return ["cpu"]
    try:
        graph.session("cuda")
    except (ProviderError, FormatError):  # built in, but no device that works
        return ["cpu"]
    return ["cpu", "cuda"]
