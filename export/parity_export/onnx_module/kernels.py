"""One node by itself, computed by onnxruntime's kernel or by ONNX's reference evaluator.

What onnxruntime computes stands between torch's operators as one of them, so that whoever watches or moves what torch
is given (`parity_export.gate.monte_carlo_arithmetic`) sees it too.
"""

import itertools
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from parity_export.onnx_module.operators.operator import NotThisOperatorError
from parity_export.onnx_module.values import Value, array_of, tensor_of
from parity_runtime import InputError
from parity_runtime.inference.session import create_session

_WRONG_REFERENCE = {
    "Resize": "align_corners", "SVMClassifier": "", "SVMRegressor": "", "LpPool": "", "MeanVarianceNormalization": "",
    "RNN": "", "GRU": "", "LSTM": "", "Dropout": "", "AveragePool": "",
}  # fmt: skip
"""Operators, and a word in their attributes, that ONNX's reference evaluator computes wrongly in some form."""

_EXACT = frozenset({
    *("MaxPool", "MaxUnpool", "Unique", "Cast", "CastLike", "Equal", "LabelEncoder", "OneHotEncoder", "CategoryMapper"),
    *("ArrayFeatureExtractor", "FeatureVectorizer", "Binarizer", "ZipMap", "TfIdfVectorizer", "TreeEnsemble"),
    *("TreeEnsembleClassifier", "TreeEnsembleRegressor"),
})  # fmt: skip
"""Operators that compare and move: given the same operands every backend decides alike."""

Computed = Callable[[Sequence[Value]], Sequence[Value]]
_Arrays = Callable[[dict[str, Any]], Sequence[Any]]


class NodeAlone:
    """A node, and what its model needs to know beside it.

    Args:
        node: with subgraphs or without.
        versions: a model with the operators' versions.
        inputs: the names of all that it takes, also by its subgraphs.
    """

    def __init__(self, node: onnx.NodeProto, versions: onnx.ModelProto, inputs: Sequence[str]) -> None:
        self._node, self._versions, self._inputs = node, versions, list(inputs)
        self._names = [name for name in node.output if name]

    def onnxruntime(self, values: Sequence[Value]) -> Computed:
        """Return onnxruntime's kernel for such values.

        Raises:
            NotThisOperatorError: one of them is no tensor.
            FormatError: onnxruntime has no such kernel.
        """
        session = create_session(self._model(values).SerializeToString(), optimization="disabled")
        wanted = {value.name for value in session.get_inputs()}

        def run(given: dict[str, Any]) -> Sequence[Any]:
            return list(session.run(self._names, {name: given[name] for name in given if name in wanted}))

        return self._computed(_Kernel(run, exact=self._is_exact))

    def reference(self, values: Sequence[Value]) -> Computed:
        """Return ONNX's reference evaluator for such values.

        Raises:
            NotThisOperatorError: one of them is no tensor.
            InputError: the evaluator is known to be wrong.
        """
        told = _WRONG_REFERENCE.get(self._node.op_type)
        whole = self._node.op_type == "Resize" and not _is_float(values[0])  # it rounds where onnxruntime cuts off
        if whole or (told is not None and told in str(self._node.attribute)):
            raise InputError(f"ONNX's reference evaluator is wrong for {told or self._node.op_type}")
        evaluator = ReferenceEvaluator(self._model(values))
        run: _Arrays = lambda given: list(evaluator.run(self._names, given))  # noqa: E731 -- its type is said
        return self._computed(_Kernel(run, exact=self._is_exact))

    @property
    def _is_exact(self) -> bool:
        return self._node.op_type in _EXACT

    def _computed(self, run: Callable[[list[str], Sequence[Value]], Sequence[Value]]) -> Computed:
        def computed(values: Sequence[Value]) -> Sequence[Value]:
            given = {name: value for name, value in zip(self._inputs, values, strict=True) if name}
            found = dict(zip(self._names, run(list(given), list(given.values())), strict=True))
            return [found.get(name) for name in self._node.output]

        return computed

    def _model(self, values: Sequence[Value]) -> onnx.ModelProto:
        given = {name: value for name, value in zip(self._inputs, values, strict=True) if name}
        if not all(isinstance(value, Tensor | np.ndarray) for value in given.values()):
            raise NotThisOperatorError
        inputs = [_described(name, array_of(value)) for name, value in given.items()]
        outputs = [onnx.ValueInfoProto(name=name) for name in self._names]
        graph = helper.make_graph([self._node], "node", inputs, outputs)
        return helper.make_model(graph, opset_imports=self._versions.opset_import, ir_version=self._versions.ir_version)


def _is_float(value: Value) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _described(name: str, array: NDArray[Any]) -> onnx.ValueInfoProto:
    dtype = onnx.TensorProto.STRING if array.dtype.kind in "OSU" else helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, dtype, [None] * array.ndim)


_KERNELS: weakref.WeakValueDictionary[int, "_Kernel"] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


class _Kernel:
    """What computes arrays from arrays, under a number by which torch's operator finds it.

    Args:
        run: from arrays by name to arrays.
        exact: whether it rounds nothing.
    """

    def __init__(self, run: _Arrays, *, exact: bool) -> None:
        self.run, self.number, self._exact = run, next(_NUMBERS), exact
        self.names: list[str] = []
        _KERNELS[self.number] = self

    def __call__(self, names: list[str], values: Sequence[Value]) -> Sequence[Value]:
        self.names = names
        if all(isinstance(value, Tensor) for value in values):
            try:
                return list(_operator(exact=self._exact)(list(values), self.number))
            except _NoTensorsError as found:
                return found.values
        return _returned(self.run({name: array_of(value) for name, value in zip(names, values, strict=True)}))


class _NoTensorsError(Exception):
    """A kernel gave something else than tensors.

    Attributes:
        values: what it gave.
    """

    def __init__(self, values: Sequence[Value]) -> None:
        super().__init__()
        self.values = values


@cache
def _operator(*, exact: bool) -> Any:
    """Return ``parity::onnx_node``, or ``parity::exact_onnx_node``, which compute a node by its kernel."""

    @torch.library.custom_op(f"parity::{'exact_' if exact else ''}onnx_node", mutates_args=())
    def onnx_node(tensors: Sequence[Tensor], kernel: int) -> list[Tensor]:
        known = _KERNELS[kernel]
        arrays = [np.ascontiguousarray(array_of(one)).reshape(one.shape) for one in tensors]
        values = _returned(known.run(dict(zip(known.names, arrays, strict=True))))
        if not all(isinstance(value, Tensor) for value in values):
            raise _NoTensorsError(values)
        return [value.clone() for value in values]

    return onnx_node


def _returned(results: Sequence[Any]) -> list[Value]:
    return [_value(result) for result in results]


def _value(result: Any) -> Value:
    if isinstance(result, np.ndarray | np.generic):
        return tensor_of(np.asarray(result))
    return [_value(one) for one in result] if isinstance(result, list) else result
