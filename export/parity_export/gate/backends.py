"""The backends that a graph is run on: onnxruntime in every configuration, and ONNX's reference evaluator."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from parity_export.gate.batching import ModelFunction
from parity_export.gate.gate_plan import GatePlan
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import FormatError, ModelContract, ProviderError
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import Optimization, Provider, import_onnxruntime
from parity_runtime.printable import counted

_REFERENCE_BATCH = 7  # the reference evaluator is written in Python


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

    def is_planned(self, plan: GatePlan) -> bool:
        """Whether a plan has it run."""
        if self.runtime == "onnxruntime":
            return _CONFIGURATIONS.index((self.optimization, self.threads)) < plan.backends
        return plan.reference

    def batch_sizes(self, plan: GatePlan) -> tuple[int, ...]:
        """Return the batch sizes that it is run in."""
        if self.runtime == "onnxruntime":
            return plan.batch_sizes
        return tuple(size for size in plan.batch_sizes if size <= _REFERENCE_BATCH)[: 1 if plan.is_small else None]

    def max_batches(self, plan: GatePlan) -> int:
        """Return how many batches of one size it is run in at most."""
        return plan.max_batches if self.runtime == "onnxruntime" else 1 if plan.is_small else 2

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


_CONFIGURATIONS: tuple[tuple[Optimization, int], ...] = (
    *(("all", 1), ("disabled", 1), ("all", 2), ("extended", 1), ("basic", 1)),
    *(("disabled", 2), ("extended", 2), ("basic", 2)),
)
"""How far onnxruntime rewrites a graph, and its threads; the most telling first."""


def backends(graph: OnnxGraph) -> Iterator[Backend]:
    """Yield every backend that a graph must pass, on every provider that really runs it here."""
    for provider in _providers(graph):
        for optimization, threads in _CONFIGURATIONS:
            if provider == "cpu" or threads == 1:
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
