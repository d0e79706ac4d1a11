"""ONNX files that somebody else exported: judged by the same gate, without a package."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from parity_export.gate.batching import rows_first
from parity_export.gate.judging import Verdict, judge
from parity_export.graph.shapes import returned_shapes
from parity_export.meaning import Meaning
from parity_export.options import ExportOptions
from parity_export.source import ModelSource, source_from_module
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.inputs import Arrays
from parity_runtime.interface import ONNXRUNTIME_DTYPES
from parity_runtime.session import create_session


def check_model(source: ModelSource, model: bytes, given: tuple[float, float] | None = None) -> Verdict:
    """Judge an ONNX model against a module.

    Names are the file's own: inputs of the same name meet, in whatever order they stand; a module's tensors meet the
    file's outputs in their order.

    Args:
        source: the module, its task ``tensors``.
        model: a serialized ONNX ModelProto without external data.
        given: rtol and atol that a person set.

    Raises:
        InputError: the number of outputs differs.
        FormatError: onnxruntime cannot load the model.
    """
    contract = dataclasses.replace(source.contract, outputs=_outputs(source, model))
    return judge(model, dataclasses.replace(source, contract=contract), given, foreign=True)


def assert_parity(
    module: nn.Module,
    model: str | Path | bytes,
    inputs: Sequence[TensorSpec | str] | Mapping[str, NDArray[Any]],
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """Fail unless an ONNX model answers as a torch module does; for pytest.

    Args:
        module: the original, on the CPU; a copy in eval mode is compared.
        model: the ONNX file, from any exporter, or its bytes.
        inputs: specifications such as ``"x: float32[batch, 5]"``, or one batch of real arrays by name, the model's
            own dynamic dimensions taken over. The names are the file's; one that is no parameter of ``forward`` makes
            all of them positional arguments, in their order.
        rtol: widens torch.testing's relative tolerance; with ``atol``.
        atol: widens torch.testing's absolute tolerance, in the output's unit; with ``rtol``.

    Raises:
        AssertionError: says in which configurations which outputs differ, and by how much.
        InputError: the module and the inputs do not fit.
    """
    data = model if isinstance(model, bytes) else read_model(Path(model))
    tolerance = ExportOptions(rtol=rtol, atol=atol).tolerance
    if isinstance(inputs, Mapping):
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        specs: tuple[TensorSpec, ...] = _specs_of(arrays, model_inputs(data))
        contract = ModelContract("sample", "tensors", specs, (TensorSpec("output", "float32", ()),))
        sample = rows_first(contract, arrays)
    else:
        specs = tuple(TensorSpec.parse(spec) if isinstance(spec, str) else spec for spec in inputs)
        sample = None
    source = source_from_module(module, specs, Meaning(), "model", sample)
    verdict = check_model(source, data, tolerance)
    if not verdict.report.passed:
        raise AssertionError("\n".join([*verdict.report.reasons(), *verdict.notes]))


def read_model(path: Path) -> bytes:
    """Return the bytes of an ONNX file.

    Raises:
        InputError: there is no such file, or its weights lie in other files.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {path}: {error.strerror}") from error
    try:
        proto = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own
        raise InputError(f"{path} is no ONNX model") from error
    external = [
        tensor.name for tensor in proto.graph.initializer if onnx.external_data_helper.uses_external_data(tensor)
    ]
    if external:
        raise InputError(f"{path}: the tensor {external[0]!r} lies in another file; save the model as one file")
    return data


def model_inputs(model: bytes) -> tuple[TensorSpec, ...]:
    """Return what a model takes, by its own names; a first dimension without a name is called ``batch``.

    Raises:
        FormatError: onnxruntime cannot load the model.
    """
    return tuple(_spec(tensor) for tensor in create_session(model).get_inputs())


def _spec(tensor: Any) -> TensorSpec:
    sizes = [
        size if size is not None else "batch" if axis == 0 else f"dim{axis}" for axis, size in enumerate(tensor.shape)
    ]
    return TensorSpec(tensor.name, ONNXRUNTIME_DTYPES.get(tensor.type, tensor.type), tuple(sizes))


def _outputs(source: ModelSource, model: bytes) -> tuple[TensorSpec, ...]:
    """Return what a model must give: its own names, and the dtypes and the axes of the batch of what torch returns.

    Raises:
        InputError: the number of outputs differs.
    """
    names = [tensor.name for tensor in create_session(model).get_outputs()]
    shapes = returned_shapes(source.module, source.contract)
    if len(shapes) != len(names):
        raise InputError(f"the module returns {len(shapes)} tensors, and the model {len(names)}")
    return tuple(TensorSpec(name, dtype, shape) for name, (dtype, shape) in zip(names, shapes, strict=True))


def _specs_of(arrays: Arrays, taken: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Return specifications of real arrays, dynamic where the model is, else fixed."""
    theirs = {spec.name: spec.shape for spec in taken}
    return tuple(
        TensorSpec(
            name,
            str(array.dtype),
            tuple(
                wanted if isinstance(wanted, str) else size
                for wanted, size in itertools.zip_longest(theirs.get(name, ()), array.shape)
            )[: array.ndim],
        )
        for name, array in arrays.items()
    )
