"""``parity diff``."""

from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from parity_export.check_model import read_model
from parity_export.cli.module_options import bare_module, compared_source, module_options
from parity_export.divergence import Divergence, Trace, first_divergence, onnx_trace, torch_trace
from parity_export.export_options import ExportOptions
from parity_export.gate.batching import Batches
from parity_export.gate.integer_ranges import integer_ranges
from parity_export.gate.probe_sampling import ProbeSampler
from parity_export.gate.probes import SEED
from parity_export.gate.tolerances import TORCH_TESTING
from parity_export.gate.torch_reference import TorchReference
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.model_source import ModelSource
from parity_runtime import GateError
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import operators_option
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.inference.session import Optimization
from parity_runtime.package.loader import load_model
from parity_runtime.printable import counted

_RTOL, _ATOL = TORCH_TESTING["float32"]
_ROWS = 64
_SIDES = {
    "torch": "torch",
    "disabled": "onnxruntime without optimizations",
    "basic": "onnxruntime with basic optimizations",
    "extended": "onnxruntime with extended optimizations",
    "cuda": "onnxruntime on CUDA",
}


_EXAMPLES = """
    # Find the first operator that differs between PyTorch and onnxruntime
    parity diff my_package.models:Net model.onnx --weights net.pt
    # Find the first one that onnxruntime's optimizations change
    parity diff runs/mine packages/mine --between disabled,extended
"""


@click.command(cls=SectionedCommand, context_settings={"show_default": True}, examples=_EXAMPLES)
@click.argument("source")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--between",
    default="torch,disabled",
    metavar="A,B",
    help="The two sides to compare, of torch, disabled, basic, extended and cuda.",
)
@click.option("--rtol", default=_RTOL, help="A value differs from this relative difference on.")
@click.option("--atol", default=_ATOL, help="A value differs from this absolute difference on.")
@module_options
@operators_option
def diff(source: str, model: Path, between: str, rtol: float, atol: float, **options: Any) -> None:
    """Name the first operator of MODEL whose output differs between two ways of computing it.

    SOURCE is the folder of a run, or package.module:Callable with --weights. MODEL is a package or an ONNX file.

    The sides are torch, and onnxruntime: with its optimizations disabled, with the basic or the extended ones, or on
    cuda. Values are matched by their names in the graph, which torch.onnx.export keeps. The first operator is the first
    in the order of computation.

    The command exits with 3 if a value differs.
    """
    ExportOptions(rtol=rtol, atol=atol)
    first, second = _sides(between)
    graph = _graph(model, options.pop("allow_operators"))
    compared = compared_source(source, bare_module(source, options), options, graph, model.stem)
    for line in compared.said:
        echo_line(line, err=True)
    call = _call(compared)
    ours, operators = _trace(first, compared, graph, call)
    theirs, more = _trace(second, compared, graph, call)
    divergence, count = first_divergence(ours, theirs, more | operators, rtol, atol)
    if not count:
        raise GateError(
            "no value was compared: the two sides have no value name in common; did another exporter rename them?"
        )
    if divergence is None:
        echo_line(f"no divergence: {counted(count, 'value')} compared between {_SIDES[first]} and {_SIDES[second]}")
        return
    for line in _summary(divergence, first, second):
        echo_line(line)
    raise GateError(
        f"{divergence.name}, the output of {divergence.operator}, is the first value that diverges: by up to "
        f"{divergence.max_abs:.3g}"
    )


def _graph(model: Path, allowed: tuple[str, ...]) -> OnnxGraph:
    if model.is_dir():
        return OnnxGraph.loaded(load_model(model, allow_operators=allowed))
    return read_model(model)


def _sides(between: str) -> tuple[str, str]:
    sides = [side.strip() for side in between.split(",")]
    if len(sides) != 2 or set(sides) - set(_SIDES):
        raise click.UsageError(f"--between {between} is not two of {', '.join(_SIDES)}")
    return sides[0], sides[1]


def _call(source: ModelSource) -> Arrays:
    """Return one batch of rows: the first of those that were given, else seeded random ones."""
    dimensions = source.example.sizes
    batches, reference = Batches(source.contract), TorchReference(source)

    def accepts(inputs: Arrays) -> bool:
        try:
            reference(batches.call(inputs, np.arange(2)))
        except (IndexError, RuntimeError):
            return False
        return True

    if source.sample is not None:
        given = len(next(iter(source.sample.values())))
        return batches.call(source.sample, np.arange(min(given, _ROWS)))
    limits = integer_ranges(source.contract, dimensions, accepts)
    rows = ProbeSampler(source.contract, dimensions, limits).rows(np.random.default_rng(SEED), None)[0]
    return batches.call(rows.inputs, np.arange(min(len(rows), _ROWS)))


def _trace(side: str, source: ModelSource, graph: OnnxGraph, call: Arrays) -> tuple[Trace, dict[str, str]]:
    if side == "torch":
        return torch_trace(source, call), {}
    if side == "cuda":
        return onnx_trace(graph, call, provider="cuda")
    return onnx_trace(graph, call, cast(Optimization, side))


def _summary(divergence: Divergence, first: str, second: str) -> list[str]:
    """Return a divergence for a person: where, how far, what agreed before it, and the values around it."""
    agreed = counted(divergence.compared - 1, "value")
    before = (
        "it is the first value that both have"
        if divergence.before is None
        else (
            f"{agreed} compared before it {'agrees' if divergence.compared == 2 else 'agree'}; the last is "
            f"{divergence.before}"
        )
    )
    return [
        f"first divergence    {divergence.name}, the output of {divergence.operator}",
        f"between             {_SIDES[first]}, and {_SIDES[second]}",
        f"largest difference  {divergence.max_abs:.3g}, where {divergence.allowed:.3g} is allowed",
        f"before it           {before}",
        "",
        f"{'index':>10} {first:>16} {second:>16}",
        *(f"{index:>10} {one:>16.9g} {other:>16.9g}" for index, one, other in divergence.around),
    ]
