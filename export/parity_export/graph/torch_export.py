"""torch.onnx.export, made canonical: the same module and versions give the same graph on any machine."""

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from inspect import BoundArguments
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes import common as passes
from onnxscript import optimizer
from torch import nn

from parity_export.graph.exact_resize import resized, settle_resizing
from parity_export.graph.export_errors import reason
from parity_export.graph.fixed_sizes import captured_by_reading, fixed_sizes
from parity_export.graph.recurrent_kernels import forget_recurrent_kernels
from parity_export.graph.shape_inference import infer_shapes
from parity_export.graph.size_guards import SizeGuards, size_guards
from parity_export.graph.traceable_functions import traceable_functions
from parity_export.graph.translations import TRANSLATIONS
from parity_export.sources.argument_binding import CALLED, Binding, bind
from parity_export.sources.example_inputs import Example
from parity_runtime import InputError
from parity_runtime.dimension_rule import DimensionRule

_TORCH_WARNINGS = (
    (r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning),  # its own copy of its own tree specs
    (r"# The axis name: .* will not be used", UserWarning),  # two inputs share a dimension, as they should
    (r"The tensor attributes? .*_flat_weights.* (was|were) assigned during export", UserWarning),  # its own LSTM
    (r"_check_is_size will be removed", FutureWarning),  # its own while_loop
    (r"The \.grad attribute of a Tensor that is not a leaf", UserWarning),  # its own while_loop
)

_LOGGERS = (
    "torch.onnx._internal.exporter._registration",  # that torchvision is absent
    "onnxscript.optimizer",  # what it does not fold
    "torch.fx.experimental.symbolic_shapes",  # the whole of its reasoning where it fails; the error says the cause
    "torch._guards",  # the same, where it reads the code
    "torch.utils._sympy.interp",  # an operator on sizes that it has no rule for, before it takes another way
)


def export_graph(module: nn.Module | Binding, example: Example, opset: int | None = None) -> ir.Model:
    """Return the module's graph; `guarded_graph` says what it supposes of the sizes as well."""
    return guarded_graph(module, example, opset)[0]


def guarded_graph(
    module: nn.Module | Binding, example: Example, opset: int | None = None
) -> tuple[ir.Model, SizeGuards]:
    """Return the module's graph, its own outputs and nothing else, and which sizes it is for.

    The graph carries no metadata, documentation, paths or unused values. Every parameter and buffer is an
    initializer of its own name, bit for bit: torch's optimizer would fold some of them into others.

    Args:
        module: on the CPU, in eval mode, or a binding of one, whose outputs are taken.
        example: of the inputs of ``forward``, whose dynamic dimensions have names.
        opset: the ONNX opset; torch's own choice if None.

    Raises:
        InputError: torch cannot export the module with these inputs.
    """
    call = bind(module, example.inputs)
    program = export_program(call, example, opset)
    guards = size_guards(program, call.exportable().in_order(_axes(example)))
    model = program.model
    if call.exportable() is not call:
        _drop_prefix(model.graph)
    model = _canonical(model, {*call.module.state_dict(), *dict(call.module.named_buffers())})
    _name_inputs(model.graph, call.exportable())
    _refuse_bfloat16(model.graph)
    written = resized(model.graph)
    return settle_resizing(infer_shapes(model), written), guards


def export_program(module: nn.Module | Binding, example: Example, opset: int | None = None) -> torch.onnx.ONNXProgram:
    """Return what torch.onnx.export makes of a module, not optimized.

    Raises:
        InputError: torch cannot export the module with these inputs.
    """
    call, shapes = bind(module, example.inputs).exportable(), _axes(example)
    arguments, dynamic_shapes = call.arguments(example.tensors()), dict(call.arguments(shapes).arguments)
    options = {"input_names": call.in_order(call.names), "dynamic_shapes": dynamic_shapes, "opset_version": opset}
    forget_recurrent_kernels()
    with _explained(call.module), quiet(), traceable_functions():
        program = _converted(call.module, arguments, options)
        fixed = fixed_sizes(program, call.in_order(shapes))
        if not fixed:
            return program
        return _converted(captured_by_reading(call.module, arguments, dynamic_shapes, fixed), arguments, options)


def _converted(
    module: nn.Module | torch.export.ExportedProgram, arguments: BoundArguments, options: Mapping[str, Any]
) -> torch.onnx.ONNXProgram:
    fixed: dict[str, Any] = {"dynamo": True, "verbose": False, "optimize": False}
    given = {**fixed, **options, "custom_translation_table": TRANSLATIONS}
    program = torch.onnx.export(module, arguments.args, kwargs=arguments.kwargs, **given)
    if program is None:
        raise InputError("torch exported nothing")
    return program


@contextlib.contextmanager
def _explained(module: nn.Module) -> Iterator[None]:
    """Say in one line why an export fails: torch, onnxscript and the user's module each raise errors of their own."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"torch cannot export the module: {reason(error, module)}") from error


def _axes(example: Example) -> list[dict[int, torch.export.Dim]]:
    """Return the dynamic axes of each input."""
    dimensions = {name: _dimension(example.choices.rule(name)) for name in example.choices.names}
    return [
        {axis: dimensions[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)}
        for spec in example.inputs
    ]


def _dimension(rule: DimensionRule) -> torch.export.Dim:
    """Return torch's own dimension of a range; a multiple and a sum follow from what the module does with the sizes."""
    low, high = (None, None) if rule.terms else (rule.low if rule.low > 1 else None, rule.high)
    return torch.export.Dim(rule.name, min=low, max=high)


def _canonical(model: ir.Model, weights: Collection[str]) -> ir.Model:
    """Remove from a graph all that does not compute, and fold what is computed from the code's constants alone.

    Args:
        model: as torch exports it, not optimized.
        weights: names of the module's tensors; no node that takes one is folded.
    """
    with quiet():
        optimizer.fold_constants(model, onnx_shape_inference=True, should_fold=lambda node: _foldable(node, weights))
    result = ir.passes.Sequential(
        passes.InlinePass(),
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.CommonSubexpressionEliminationPass(),
        passes.IdentityEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
        passes.TopologicalSortPass(),
        passes.ClearMetadataAndDocStringPass(),
    )(model).model
    result.metadata_props.clear()
    result.graph.metadata_props.clear()
    return result


def _refuse_bfloat16(graph: ir.Graph) -> None:
    """Refuse a graph that no onnxruntime computes on a CPU, as autocasting leaves it."""
    for maker in graph.all_nodes():
        if any(value.dtype == ir.DataType.BFLOAT16 for value in maker.outputs):
            raise InputError(
                "the module computes in bfloat16 under torch.autocast, which onnxruntime does not on a CPU; leave that "
                "out of its forward, or switch it off: torch.autocast(..., enabled=not torch.compiler.is_exporting())"
            )


def _drop_prefix(graph: ir.Graph) -> None:
    """Give a module's tensors their own names, without the prefix of the module that was put around it."""
    for value in list(graph.initializers.values()):
        value.name = str(value.name).removeprefix(CALLED)


def _name_inputs(graph: ir.Graph, call: Binding) -> None:
    """Give the inputs their names again, which an input that is returned as it is loses to the output, and their order.

    Torch has them in the order of ``forward``'s parameters.
    """
    for node in graph:
        for value in node.outputs:
            if value.name in call.names:
                value.name = f"module.{value.name}"
    for value, name in zip(graph.inputs, call.in_order(call.names), strict=True):
        value.name = name
    values = sorted(graph.inputs, key=lambda value: call.names.index(str(value.name)))
    graph.inputs.clear()
    graph.inputs.extend(values)


def _foldable(node: ir.Node, weights: Collection[str]) -> bool | None:
    """Return False for a node that takes a weight; None leaves the choice to the folding's own rules."""
    takes_weight = any(value is not None and value.name in weights for value in node.inputs)
    return False if takes_weight else None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what torch says of itself; the user's own warnings and prints stay.

    When it fails torch prints the whole traced program, which is dropped: the error's cause says what went wrong.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(printed):
            warnings.filterwarnings("ignore", module=r"torch\.")
            for message, category in _TORCH_WARNINGS:
                warnings.filterwarnings("ignore", message=message, category=category)
            yield
        sys.stderr.write(printed.getvalue())
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
