"""ONNX files that somebody else exported: compared by the same gate, without a package."""

import dataclasses
import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from parity_export.export_graph import ExportGraph
from parity_export.export_options import Effort, ExportOptions
from parity_export.gate.report import Report
from parity_export.gate.run_gate import GateResult, run_gate
from parity_export.graph.output_shapes import returned_shapes
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.batch_axis import rows_first
from parity_export.sources.model_source import ModelSource, source_from_module, specifications
from parity_export.sources.onnx_file.read_file import model_bytes
from parity_export.sources.output_spec import OutputSpec
from parity_runtime import FormatError, InputError, ModelContract, ParityRefusedError, TensorSpec
from parity_runtime.contract import METADATA_KEY
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.signature import ONNXRUNTIME_DTYPES
from parity_runtime.package.manifest import MANIFEST
from parity_runtime.package.model_scan import scan_model
from parity_runtime.printable import counted

_SHOWN = 8  # reasons of an AssertionError


def check_model(
    source: ModelSource,
    model: bytes | OnnxGraph,
    given: tuple[float, float] | None = None,
    *,
    effort: Effort = "normal",
) -> GateResult:
    """Compare an ONNX model with a module, and return the result.

    Inputs are matched by name. Outputs are matched by name if the module returns tensors of all the names in the file,
    else by their order.

    >>> import onnx
    >>> from torch import nn
    >>> from parity_export import OutputSpec, check_model, source_from_module
    >>> graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"
    >>> model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {graph}').SerializeToString()
    >>> source = source_from_module(nn.ReLU(), ["x: float32[batch, 2]"], OutputSpec(), "mine")
    >>> check_model(source, model).report.passed
    True

    Args:
        source: the module, with the task ``tensors``.
        model: the ONNX model: the bytes of a file without external data, or its graph, already read.
        given: ``(rtol, atol)`` to use instead of torch.testing's defaults; None for these.
        effort: how much time and memory the comparison may take: ``quick``, ``normal`` or ``thorough``.

    Raises:
        InputError: the number of outputs differs, or the model is not one that a package can hold.
        ParityRefusedError: the two cannot be compared: the module returns other outputs for the same inputs, or its
            float32 outputs are too far from its float64 outputs to derive a tolerance.
        FormatError: onnxruntime cannot load the model.
    """
    graph = checked_model(model, "the model") if isinstance(model, bytes) else model
    names = [tensor.name for tensor in graph.session().get_outputs()]
    source = dataclasses.replace(source, outputs=source.outputs.matching(names))
    contract = dataclasses.replace(source.contract, outputs=_outputs(source, graph))
    compared = ExportGraph(dataclasses.replace(source, contract=contract), graph)
    return run_gate(compared, given, external=True, effort=effort)


def assert_parity(
    module: nn.Module,
    model: str | Path | bytes,
    inputs: Sequence[TensorSpec | str] | Mapping[str, NDArray[Any]],
    *,
    rtol: float | None = None,
    atol: float | None = None,
    effort: Effort = "normal",
) -> None:
    """Fail unless an ONNX model computes the outputs of a torch module; for pytest.

    >>> import onnx
    >>> from torch import nn
    >>> from parity_export import assert_parity
    >>> graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"
    >>> model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {graph}').SerializeToString()
    >>> assert_parity(nn.ReLU(), model, ["x: float32[batch, 2]"])
    >>> try:
    ...     assert_parity(nn.LeakyReLU(), model, ["x: float32[batch, 2]"])
    ... except AssertionError as error:
    ...     print("they differ")
    they differ

    Args:
        module: the original module, on the CPU. A copy in eval mode is compared.
        model: the ONNX file, from any exporter, or its bytes.
        inputs: a list of specifications such as ``"x: float32[batch, 5]"``; or one batch of real arrays by name, for
            which the dynamic dimensions are those of the file. The names are those of the file's inputs. If all of them
            are parameters of ``forward``, the order does not matter; else they are its positional arguments, in this
            order.
        rtol: a relative tolerance to use instead of torch.testing's default; give it together with ``atol``.
        atol: an absolute tolerance, in the output's unit, to use instead of torch.testing's default; give it together
            with ``rtol``.
        effort: how much time and memory the comparison may take: ``quick``, ``normal`` or ``thorough``.

    Raises:
        AssertionError: outputs differ: the message says in at most a dozen lines which, in which configurations, and by
            how much. Or the two cannot be compared: the message says why, such as a module that draws random numbers.
        InputError: the module, the model and the inputs do not fit together, or the model is not one that a package can
            hold.
        FormatError: onnxruntime cannot load the model.
    """
    graph = checked_model(model, "the model") if isinstance(model, bytes) else read_model(Path(model))
    options = ExportOptions(rtol=rtol, atol=atol, effort=effort)
    if isinstance(inputs, Mapping):
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        specs: tuple[TensorSpec, ...] = _specs_of(arrays, model_inputs(graph))
        contract = ModelContract("sample", "tensors", specs, (TensorSpec("output", "float32", ()),))
        sample = rows_first(contract, arrays)
    else:
        specs = tuple(specifications(inputs))
        sample = None
    source = source_from_module(module, specs, OutputSpec(), "model", sample)
    try:
        gate_result = check_model(source, graph, options.tolerance, effort=effort)
    except ParityRefusedError as error:  # the gate cannot decide, as of a module that draws random numbers
        raise AssertionError(str(error)) from error
    if not gate_result.report.passed:
        raise AssertionError("\n".join([*_brief(gate_result.report), *gate_result.notes]))


def _brief(report: Report) -> list[str]:
    """Return why a gate says no: the first reasons, how many there are, and where the rest is."""
    reasons = report.reasons()
    if len(reasons) <= _SHOWN:
        return reasons
    failed = sum(result.failed for result in report.results)
    return [
        f"the model computes something else than the module in {failed} of {len(report.results)} configurations; the "
        f"first {_SHOWN} of {len(reasons)} reasons:",
        *reasons[:_SHOWN],
        "the others: check_model(source_from_module(module, inputs, OutputSpec(), 'model'), model).report.reasons()",
    ]


def read_model(path: Path) -> OnnxGraph:
    """Return the graph of an ONNX file.

    Raises:
        InputError: there is no such file, it is no ONNX model, its weights lie in other files, or it uses operators
            outside the ONNX standard.
    """
    if path.is_dir():
        raise InputError(f"{path} is a {_folder(path)}")
    return checked_model(model_bytes(path), str(path))


_PACKAGED = "parity verify PACKAGE checks it, and parity diff SOURCE PACKAGE compares its values with the module's"


def _folder(path: Path) -> str:
    """Return what a folder is, in the place of which an ONNX file was wanted, and the way out."""
    if (path / MANIFEST).is_file():
        return (
            f"package, which was compared before it was written: {_PACKAGED.replace('PACKAGE', shlex.quote(str(path)))}"
        )
    return "folder; give the .onnx file itself"


def checked_model(data: bytes, where: str) -> OnnxGraph:
    """Return a model's graph, after the checks that a package's model goes through before onnxruntime sees it.

    Raises:
        InputError: they are no ONNX model, keep weights in other files, or use custom operators.
    """
    try:
        scan_model(data, where, allowed=None)
    except FormatError as error:
        raise InputError(str(error)) from error
    return OnnxGraph(data)


def model_inputs(model: OnnxGraph) -> tuple[TensorSpec, ...]:
    """Return what a model takes, by its own names; a first dimension without a name is called ``batch``.

    Raises:
        FormatError: onnxruntime cannot load the model.
    """
    return tuple(_spec(tensor) for tensor in model.session().get_inputs())


def _spec(tensor: Any) -> TensorSpec:
    sizes = [
        size if size is not None else "batch" if axis == 0 else f"dim{axis}" for axis, size in enumerate(tensor.shape)
    ]
    return TensorSpec(tensor.name, ONNXRUNTIME_DTYPES.get(tensor.type, tensor.type), tuple(sizes))


def _outputs(source: ModelSource, model: OnnxGraph) -> tuple[TensorSpec, ...]:
    """Return what a model must give: its own names, and the dtypes and the axes of the batch of what torch returns.

    Raises:
        InputError: the number of outputs differs.
    """
    names = [tensor.name for tensor in model.session().get_outputs()]
    shapes = returned_shapes(source)
    if len(shapes) != len(names):
        is_packaged = METADATA_KEY in {entry.key for entry in model.light.metadata_props}
        raise InputError(
            f"the module returns {counted(len(shapes), 'tensor')}, and the model {len(names)}: {', '.join(names)}"
            + (f"; it is the graph of a package: {_PACKAGED}" if is_packaged else "")
        )
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
