"""torch.onnx.export, made canonical: the same module and versions give the same graph on any machine."""

import contextlib
import inspect
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes import common as passes
from torch import nn

from parity_export.source import example_inputs
from parity_runtime import InputError, TensorSpec

_REGISTRATION_LOGGER = "torch.onnx._internal.exporter._registration"  # logs that torchvision is absent


def export_graph(module: nn.Module, inputs: Sequence[TensorSpec], opset: int | None = None) -> ir.Model:
    """Return the module's graph, its own outputs and nothing else.

    The graph carries no metadata, documentation, paths or unused values. An initializer that comes from the
    state_dict has its tensor's name.

    Args:
        module: on the CPU, in eval mode.
        inputs: one a positional argument of ``forward``; dynamic dimensions by name.
        opset: the ONNX opset; torch's own choice if None.

    Raises:
        InputError: torch cannot export the module with these inputs.
    """
    dimensions = {name: torch.export.Dim(name) for spec in inputs for name in spec.shape if isinstance(name, str)}
    shapes = tuple(
        {axis: dimensions[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in inputs
    )
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                example_inputs(inputs),
                dynamo=True,
                verbose=False,
                input_names=[spec.name for spec in inputs],
                dynamic_shapes=_by_argument(module, shapes),
                opset_version=opset,
            )
    except Exception as error:  # torch, onnxscript and the user's module each raise their own
        raise InputError(f"torch cannot export the module: {_reason(error)}") from error
    if program is None:
        raise InputError("torch exported nothing")
    return canonical(program.model)


def canonical(model: ir.Model) -> ir.Model:
    """Remove from a graph all that does not compute: metadata, documentation, unused nodes and values."""
    result = ir.passes.Sequential(
        passes.ClearMetadataAndDocStringPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
        passes.TopologicalSortPass(),
    )(model).model
    result.metadata_props.clear()
    result.graph.metadata_props.clear()
    return result


def _by_argument(module: nn.Module, shapes: tuple[Any, ...]) -> Any:
    """Return the dynamic shapes as torch wants them: in a tuple, nested once more for ``*args``."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    variadic = bool(parameters) and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
    return (shapes,) if variadic else shapes


def _reason(error: Exception) -> str:
    """Return the innermost cause's first line: the outer ones speak of torch's strategies."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch says of itself; the user's own warnings stay."""
    logger = logging.getLogger(_REGISTRATION_LOGGER)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level)
