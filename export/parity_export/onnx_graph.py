"""One ONNX graph in every form in which it is read, each made once: protobuf, onnx_ir, sessions, bytes."""

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper
from onnx.reference import ReferenceEvaluator

from parity_export.light_graph import (
    Weights,
    full_model,
    full_proto,
    light_proto,
    split_proto,
    weights_as_inputs,
    weights_of,
)
from parity_export.memory import LARGE, give_back
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import Optimization, Provider, create_session
from parity_runtime.package.loader import LoadedModel

_KEPT = LARGE // 16
"""Up to this size, in bytes, sessions are kept: those of a graph and of its certified form, eight configurations of
each, hold the weights sixteen times, and less than `LARGE` then."""


class OnnxGraph:
    """A graph that does not change: who changes one makes another.

    Of a large graph the tensors stand beside its protobuf, in the memory that they came in: no form of it holds them
    again but `data`, `proto`, a session and an evaluator, which belong to who asks for them.

    Args:
        source: the bytes of a ModelProto without external data, a ModelProto, or an onnx_ir model.
        weights: what a ModelProto refers to as external data, by name.

    Attributes:
        weights: the tensors that stand beside `light`, by name; none of a graph that is not large, unless they were
            given.
    """

    def __init__(self, source: bytes | onnx.ModelProto | ir.Model, weights: Weights | None = None) -> None:
        self._model = source if isinstance(source, ir.Model) else None
        self._proto = source if isinstance(source, onnx.ModelProto) else None
        self._data = source if isinstance(source, bytes) else None
        self.weights: Weights = dict(weights or {})
        if not self.weights:
            self._set_aside()
        self._sessions: dict[tuple[Provider, int, Optimization], Any] = {}
        self._evaluator: _Evaluator | None = None

    @classmethod
    def loaded(cls, model: LoadedModel) -> "OnnxGraph":
        """Return the graph of a package; tensors that lie in its weights.bin are read."""
        if model.weights is None:
            return cls(model.data)
        return cls(onnx.load_from_string(model.data), model.weights.arrays())

    def _set_aside(self) -> None:
        """Take the tensors of a large graph out of what holds them."""
        if self._model is not None:
            weights = weights_of(self._model)
            self.weights = weights if _nbytes(weights) > LARGE else {}
        elif self._data is not None and len(self._data) > LARGE:
            self._proto, self.weights = split_proto(onnx.load_from_string(self._data))
            self._data = None
        elif self._proto is not None and self._proto.ByteSize() > LARGE:
            self._proto, self.weights = split_proto(self._proto)

    @cached_property
    def light(self) -> onnx.ModelProto:
        """The protobuf without the tensors that stand beside it, to which it refers; who changes it copies it first."""
        if self._proto is None:
            self._proto = (
                onnx.load_from_string(self._data) if self._data is not None else light_proto(self.model, self.weights)
            )
        return self._proto

    @property
    def proto(self) -> onnx.ModelProto:
        """The protobuf with all tensors; who changes it copies it first."""
        return full_proto(self.light, self.weights) if self.weights else self.light

    @property
    def data(self) -> bytes:
        """The bytes, with all tensors; the same for the same graph."""
        if self.weights:
            return _serialized(self.proto)
        return self._light_data

    @cached_property
    def _light_data(self) -> bytes:
        return _serialized(self.light) if self._data is None or self.weights else self._data

    @cached_property
    def size(self) -> int:
        """How many bytes the graph takes, with its tensors."""
        return len(self._light_data) + _nbytes(self.weights)

    @property
    def model(self) -> ir.Model:
        """The onnx_ir model; it holds the tensors themselves, not copies."""
        if self._model is None:
            self._model = full_model(self.light, self.weights)
        return self._model

    def session(self, provider: Provider = "cpu", threads: int = 1, optimization: Optimization = "all") -> Any:
        """Return an ``onnxruntime.InferenceSession``, one a configuration.

        Raises:
            FormatError: onnxruntime cannot load the graph.
            ProviderError: the provider does not work here.
        """
        key = provider, threads, optimization
        return self._sessions[key] if key in self._sessions else self._opened(key)

    def evaluator(self) -> "_Evaluator":
        """Return ONNX's reference evaluator of the graph; its ``run`` is a session's."""
        evaluator = self._evaluator or _Evaluator(self.light, self.weights)
        self._evaluator = evaluator if self.size <= _KEPT else None
        return evaluator

    def constants(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return every initializer by name; large ones are the graph's own memory."""
        small = {tensor.name: tensor for tensor in self.light.graph.initializer if tensor.name not in self.weights}
        return {name: onnx.numpy_helper.to_array(tensor) for name, tensor in small.items()} | dict(self.weights)

    def optimized(self, optimization: Optimization) -> "OnnxGraph":
        """Return the graph as onnxruntime rewrites it; layouts of the level ``all`` are this processor's.

        The session that writes it is kept as any other: what it runs is what it writes, and it differs in nothing but
        that it holds on to the initializers.
        """
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder) / "optimized.onnx"
            self._opened(("cpu", 1, optimization), str(path))
            light = onnx.load(path, load_external_data=False)
            # What is mapped stays readable when the file has lost its name, and takes no memory until it is read.
            return OnnxGraph(light, {tensor.name: _mapped(tensor, path.parent) for tensor in light.graph.initializer
                                     if tensor.data_location == onnx.TensorProto.EXTERNAL})  # fmt: skip

    def with_light(self, light: onnx.ModelProto) -> "OnnxGraph":
        """Return another graph of the same tensors: the ones that its protobuf refers to."""
        names = {tensor.name for tensor in light.graph.initializer}
        return OnnxGraph(light, {name: array for name, array in self.weights.items() if name in names})

    def give_back(self, *, collect: bool = True) -> None:
        """Give what a step freed back to the system, if the graph is large."""
        if self.size > LARGE:
            give_back(collect=collect)

    def _opened(self, key: tuple[Provider, int, Optimization], optimized: str = "") -> Any:
        weights = self.weights or None
        session = create_session(self._light_data, *key, optimized_model_path=optimized, weights=weights)
        if self.size <= _KEPT:
            self._sessions[key] = session
        return session


class _Evaluator:
    """ONNX's reference evaluator, which reads large tensors as inputs: it would hold them twice."""

    def __init__(self, light: onnx.ModelProto, weights: Weights) -> None:
        self._evaluator, self._weights = ReferenceEvaluator(weights_as_inputs(light, weights)), weights

    def run(self, names: Sequence[str] | None, inputs: Arrays) -> Any:
        """Return some outputs; all if None."""
        return self._evaluator.run(None if names is None else list(names), {**self._weights, **inputs})


def _mapped(tensor: onnx.TensorProto, folder: Path) -> np.ndarray[Any, Any]:
    """Return a tensor that onnxruntime wrote into a file beside the graph."""
    facts = {entry.key: entry.value for entry in tensor.external_data}
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return np.memmap(folder / facts["location"], dtype, "r", int(facts.get("offset", 0)), tuple(tensor.dims))


def _nbytes(weights: Weights) -> int:
    return sum(array.nbytes for array in weights.values())


def _serialized(proto: onnx.ModelProto) -> bytes:
    data: bytes = proto.SerializeToString(deterministic=True)
    return data
