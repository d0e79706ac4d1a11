"""One ONNX graph in every form in which it is read, each made once: bytes, protobuf, onnx_ir, sessions."""

import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from parity_export.memory import LARGE, give_back
from parity_runtime.inference.session import Optimization, Provider, create_session

_KEPT = LARGE // 16
"""Up to this size, in bytes, sessions are kept: those of a graph and of its certified form, eight configurations of
each, hold the weights sixteen times, and less than `LARGE` then."""


class OnnxGraph:
    """A graph that does not change: who changes one makes another.

    A large graph keeps its bytes alone. Its protobuf and each of its sessions hold the weights again, and belong to who
    asks for them.

    Args:
        source: the bytes of a ModelProto without external data, a ModelProto, or an onnx_ir model.
    """

    def __init__(self, source: bytes | onnx.ModelProto | ir.Model) -> None:
        self._model = source if isinstance(source, ir.Model) else None
        self._proto = source if isinstance(source, onnx.ModelProto) else None
        self._data = source if isinstance(source, bytes) else None
        self._sessions: dict[tuple[Provider, int, Optimization], Any] = {}
        self._evaluator: ReferenceEvaluator | None = None

    @property
    def data(self) -> bytes:
        """The bytes; the same for the same graph."""
        if self._data is None:
            proto = ir.to_proto(self.model) if self._proto is None else self._proto
            data: bytes = proto.SerializeToString(deterministic=True)
            self._data, self._proto = data, proto if len(data) <= LARGE else None
            self._model = self._model if len(data) <= LARGE else None
        return self._data

    @property
    def proto(self) -> onnx.ModelProto:
        """The protobuf; who changes it copies it first."""
        data = self.data  # makes it of an onnx_ir model
        proto = onnx.load_from_string(data) if self._proto is None else self._proto
        self._proto = proto if len(data) <= LARGE else None
        return proto

    @property
    def model(self) -> ir.Model:
        """The onnx_ir model; of bytes, one that holds the protobuf's tensors."""
        if self._model is not None:
            return self._model
        model = ir.from_proto(self.proto)
        self._model = model if len(self.data) <= LARGE else None
        return model

    def session(self, provider: Provider = "cpu", threads: int = 1, optimization: Optimization = "all") -> Any:
        """Return an ``onnxruntime.InferenceSession``, one a configuration.

        Raises:
            FormatError: onnxruntime cannot load the graph.
            ProviderError: the provider does not work here.
        """
        key = provider, threads, optimization
        return self._sessions[key] if key in self._sessions else self._opened(key)

    def evaluator(self) -> ReferenceEvaluator:
        """Return ONNX's reference evaluator of the graph."""
        evaluator = self._evaluator or ReferenceEvaluator(self.proto)
        self._evaluator = evaluator if len(self.data) <= _KEPT else None
        return evaluator

    def optimized(self, optimization: Optimization) -> onnx.ModelProto:
        """Return the graph as onnxruntime rewrites it; layouts of the level ``all`` are this processor's.

        The session that writes it is kept as any other: what it runs is what it writes, and it differs in nothing but
        that it holds on to the initializers.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "optimized.onnx"
            self._opened(("cpu", 1, optimization), str(path))
            return onnx.load(path)

    def give_back(self, *, collect: bool = True) -> None:
        """Give what a step freed back to the system, if the graph is large."""
        if len(self.data) > LARGE:
            give_back(collect=collect)

    def _opened(self, key: tuple[Provider, int, Optimization], optimized: str = "") -> Any:
        session = create_session(self.data, *key, optimized_model_path=optimized)
        if len(self.data) <= _KEPT:
            self._sessions[key] = session
        return session
