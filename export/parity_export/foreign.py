"""ONNX files that somebody else exported: judged by the same gate, without a package."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from parity_export.gate import ONNXRUNTIME_DTYPES
from parity_export.judging import Verdict, judge
from parity_export.reference import flatten
from parity_export.source import Meaning, ModelSource, example_inputs, source_from_module
from parity_runtime import InputError, ParityRefusedError, TensorSpec
from parity_runtime.inputs import Arrays
from parity_runtime.session import create_session


def check_model(source: ModelSource, model: bytes, given: tuple[float, float] | None = None) -> Verdict:
    """Judge an ONNX model against a module.

    Names are the file's own: a module's tensors meet the file's outputs in their order.

    Args:
        source: the module, its task ``tensors``.
        model: a serialized ONNX ModelProto without external data.
        given: rtol and atol that a person set.

    Raises:
        InputError: the number of outputs differs.
        FormatError: onnxruntime cannot load the model.
    """
    session = create_session(model)
    renamed = _renamed(session, source.contract.inputs)
    outputs = tuple(_spec(tensor, renamed) for tensor in session.get_outputs())
    returned = flatten(source.module(*example_inputs(source.module, source.contract.inputs)))
    if len(returned) != len(outputs):
        raise InputError(f"the module returns {len(returned)} tensors, and the model {len(outputs)}")
    contract = dataclasses.replace(source.contract, outputs=outputs)
    return judge(model, dataclasses.replace(source, contract=contract), given, renamed)


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
        inputs: the module's positional arguments: specifications such as ``"x: float32[batch, 5]"``, or one
            batch of real arrays by name, whose first axis is taken as the batch.
        rtol: widens torch.testing's relative tolerance; with ``atol``.
        atol: widens torch.testing's absolute tolerance, in the output's unit; with ``rtol``.

    Raises:
        AssertionError: says in which configurations which outputs differ, and by how much.
        InputError: the module and the inputs do not fit.
    """
    data = model if isinstance(model, bytes) else read_model(Path(model))
    if isinstance(inputs, Mapping):
        specs, sample = _specs_of(inputs)
    else:
        specs = tuple(TensorSpec.parse(spec) if isinstance(spec, str) else spec for spec in inputs)
        sample = None
    source = source_from_module(module, specs, Meaning(), "model", sample)
    verdict = check_model(source, data, None if rtol is None or atol is None else (rtol, atol))
    if not verdict.report.passed:
        raise AssertionError("\n".join(verdict.report.reasons()))


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
    return tuple(_spec(tensor, ()) for tensor in create_session(model).get_inputs())


def _spec(tensor: Any, renamed: Mapping[str, str] | tuple[()]) -> TensorSpec:
    sizes = [
        dict(renamed).get(size, size) if size is not None else "batch" if axis == 0 else f"{tensor.name}_{axis}"
        for axis, size in enumerate(tensor.shape)
    ]
    return TensorSpec(tensor.name, ONNXRUNTIME_DTYPES.get(tensor.type, tensor.type), tuple(sizes))


def _renamed(session: Any, inputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Return the contract's name of each dynamic dimension of a file, by the file's own name."""
    return {
        theirs: ours
        for spec, tensor in zip(inputs, session.get_inputs(), strict=False)
        for ours, theirs in zip(spec.shape, tensor.shape, strict=False)
        if isinstance(ours, str) and isinstance(theirs, str)
    }


def refusal(verdict: Verdict) -> ParityRefusedError:
    """Return the error that says why a model was refused."""
    reasons = verdict.report.reasons()
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return ParityRefusedError(f"the model does not answer as the module: {reasons[0]}{more}")


def _specs_of(inputs: Mapping[str, NDArray[Any]]) -> tuple[tuple[TensorSpec, ...], Arrays]:
    arrays = {name: tensor.numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
              for name, tensor in inputs.items()}  # fmt: skip
    specs = tuple(TensorSpec(name, str(array.dtype), ("batch", *array.shape[1:])) for name, array in arrays.items())
    return specs, arrays
