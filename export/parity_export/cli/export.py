"""``parity export``."""

import traceback
from pathlib import Path
from typing import Any

import click

from parity_export.cli.module_options import (
    check_source_options,
    input_specs,
    is_run,
    module_options,
    run_network,
    sample,
    user_module,
)
from parity_export.cli.optional_values import OptionalValues
from parity_export.cli.output_options import output_options, output_spec
from parity_export.cli.package_options import export_options, package_options
from parity_export.cli.probe_options import probe_options
from parity_export.error_bounds.bound_report import BoundReport
from parity_export.export import Exported, export_package
from parity_export.gate.comparison import COSINE
from parity_export.sources.model_source import ModelSource, source_from_module
from parity_export.sources.pretrained import METHOD
from parity_export.sources.trained_source import source_from_run
from parity_runtime import InputError
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import section
from parity_runtime.printable import counted
from parity_training import Run

_EXAMPLES = """
    # Export a run of parity train, and replace an existing package
    parity export runs/mine packages/mine --force
    # Add a graph that computes a proven error bound beside each prediction
    parity export runs/mine packages/certified --certified
    # Export your own module and its weights
    parity export my_package.models:Net packages/net --weights net.pt --input "x: float32[batch, 2]"
    # Export a classifier with the names of its classes, compared on real inputs as well
    parity export my_package.models:Net packages/animals --weights net.pt --input "image: float32[batch, 3, 64, 64]" \\
      --task multiclass --output logits --classes cat,dog,other --samples images.npz
"""
_model = section("The ONNX model")


@click.command(cls=OptionalValues, examples=_EXAMPLES)
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@module_options
@output_options
@_model("--name", help="The name of the model [default: the name of SOURCE's class or function]. A run has its own.")
@_model("--opset", type=int, help="The version of the ONNX operators [default: what torch chooses].")
@_model("--ir-version", type=int, help="The version of the ONNX file format [default: what torch chooses].")
@package_options
@click.option("--verbose", is_flag=True, help="If torch cannot export the module, print torch's own error as well.")
def export(source: str, target: Path, verbose: bool, **options: Any) -> None:
    """Export SOURCE to ONNX, compare both, and write the package folder TARGET if they agree.

    SOURCE is the folder of a run, or package.module:Callable: a class or function that returns your module. Your module
    needs --input, and --weights unless it loads its weights itself.

    If the ONNX model computes something else than the module, the command exits with 3, and writes no package, but a
    report: TARGET.refused.json.
    """
    how = export_options(options, "opset", "ir_version")
    check_source_options(source, options, ("network",))
    try:
        chosen = _run_source(source, options) if is_run(source) else _module_source(source, options)
        exported = export_package(chosen, target, how)
    except InputError as error:
        if verbose and error.__cause__ is not None:
            for line in "".join(traceback.format_exception(error.__cause__)).splitlines():
                echo_line(line, err=True)
        raise
    for line in [*exported.gate_result.notes, *exported.gate_result.report.remarks()]:
        echo_line(line, err=True)
    for line in summary(exported):
        echo_line(line)


def summary(exported: Exported) -> list[str]:
    """Return what an export did, for a person."""
    report = exported.gate_result.report
    lines = [f"gate: {report.agreement}"]
    for name, tolerance in exported.contract.tolerance.items():
        worst = max(found.max_abs for found in report.differences(name, "ordinary"))
        lines.append(f"  {name}: largest deviation from float64 {worst:.3g}; allowed {tolerance.in_words}")
    lines += [f"  {line}" for line in report.jump_notes()]
    cosines = [found.max_abs for found in report.differences(COSINE, "ordinary")]
    if cosines:
        lines.append(f"  smallest cosine with torch's vectors: 1 - {max(cosines):.3g}")
    if report.encoder:
        lines.append(f"encoder: {report.encoder_agreement(exported.contract)}")
    if exported.bound_report is not None:
        lines += _bounds_summary(exported.bound_report)
    return [*lines, f"package: {exported.path}", f"id: {exported.package_id}"]


def _bounds_summary(report: BoundReport) -> list[str]:
    """Return what is proven, and of whom."""
    labels = "" if report.certified is None else f", {counted(report.certified, 'label')} certified"
    return [
        f"proof: {report.bounded} of {report.rows} probes have an error bound (at most {report.largest_bound:.3g} "
        f"on ordinary ones){labels}",
        f"  it holds for {report.model.subject()}",
    ]


def _run_source(source: str, options: dict[str, Any]) -> ModelSource:
    return source_from_run(Run.open(source), run_network(options))


def _module_source(source: str, options: dict[str, Any]) -> ModelSource:
    loaded, inputs = user_module(source, options), input_specs(options)
    name = options["name"] or source.rpartition(":")[2].removesuffix(f".{METHOD}")
    real, probes = sample(options, inputs), probe_options(options)
    found = source_from_module(loaded.module, options["inputs"], output_spec(options), name, real, probes)
    return found.noting(*loaded.notes)
