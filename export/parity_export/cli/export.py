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
from parity_export.sources.model_source import ModelSource, source_from_module, source_from_run
from parity_export.sources.pretrained import METHOD
from parity_runtime import InputError
from parity_runtime.cli.echo import echo_line
from parity_runtime.printable import counted
from parity_training import Run


@click.command(cls=OptionalValues)
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@module_options
@output_options
@click.option("--name", help="The model's name [default: the callable's].")
@click.option("--opset", type=int, help="The ONNX opset [default: torch's choice].")
@click.option("--ir-version", type=int, help="The ONNX IR version [default: torch's choice].")
@package_options
@click.option("--verbose", is_flag=True, help="Show torch's own reason when it cannot export.")
def export(source: str, target: Path, verbose: bool, **options: Any) -> None:
    """Export SOURCE into the package folder TARGET, if both compute the same outputs.

    SOURCE is a run folder, or package.module:Callable with --weights (unless it loads them itself) and --input.
    Exits with 3 and writes nothing but TARGET.refused.json if the graph does not answer as the module.
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
        f"  it speaks for {report.model.subject()}",
    ]


def _run_source(source: str, options: dict[str, Any]) -> ModelSource:
    return source_from_run(Run.open(source), run_network(options))


def _module_source(source: str, options: dict[str, Any]) -> ModelSource:
    loaded, inputs = user_module(source, options), input_specs(options)
    name = options["name"] or source.rpartition(":")[2].removesuffix(f".{METHOD}")
    real, probes = sample(options, inputs), probe_options(options)
    found = source_from_module(loaded.module, options["inputs"], output_spec(options), name, real, probes)
    return found.noting(*loaded.notes)
