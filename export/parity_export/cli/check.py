"""``parity check``."""

from pathlib import Path
from typing import Any, get_args

import click

from parity_export.check_model import check_model, read_model
from parity_export.cli.module_options import bare_module, compared_source, effort_option, module_options
from parity_export.export_options import Effort, ExportOptions, ReportDetail
from parity_export.gate.run_gate import report_to_json
from parity_runtime import ParityRefusedError
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import SectionedCommand, section
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_table
from parity_runtime.files.paths import refuse_unwritable, resolved

_EXAMPLES = """
    # Compare an ONNX file with the run that it was exported from
    parity check runs/mine model.onnx
    # Compare it with your own module, and write the whole report
    parity check my_package.models:Net model.onnx --weights net.pt --out report.json --report full
"""
_gate = section("How it is validated")


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@click.argument("source")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write the report to this file, as JSON.")
@click.option(
    "--report",
    type=click.Choice(get_args(ReportDetail)),
    help="What the report holds: a row for each backend and output [default: summary], or also for every batch size "
    "and group of inputs. If the model is refused, the report is always full.",
)
@module_options
@_gate("--rtol", type=float, help="Allow this relative difference. Give --atol as well.")
@_gate("--atol", type=float, help="Allow this absolute difference. Give --rtol as well.")
@effort_option
def check(source: str, model: Path, out: Path | None, report: ReportDetail | None, **options: Any) -> None:
    """Compare the ONNX file MODEL, which any exporter wrote, with the PyTorch model SOURCE.

    SOURCE is the folder of a run, or package.module:Callable with --weights. The comparison is the one that parity
    export makes. The command compares outputs by name if the module has all names of MODEL, else in their order.
    Without --input it uses the inputs of MODEL.

    It exits with 3 if MODEL computes something else than the module.
    """
    tolerance = ExportOptions(rtol=options.pop("rtol"), atol=options.pop("atol")).tolerance
    effort: Effort = options.pop("effort")
    if out is not None:
        refuse_unwritable(resolved(out))
    elif report is not None:
        raise click.UsageError("--report needs a file for the report; add --out report.json")
    loaded, graph = bare_module(source, options), read_model(model)
    judged = compared_source(source, loaded, options, graph, model.stem)
    gate_result = check_model(judged, graph, tolerance, effort=effort)
    if out is not None:
        write_file(out, dump_table(report_to_json(judged.contract, gate_result, full=report == "full")))
    if not gate_result.report.passed:
        where = "" if out is None else f"; the whole report is {out}"
        raise ParityRefusedError(
            f"the model computes something else than the module: {gate_result.reason()}{where}; parity diff names the "
            "operator"
        )
    if not any(isinstance(size, str) for spec in judged.contract.inputs for size in spec.shape):
        echo_line(f"{model} takes one fixed shape only; say what it should take with --input", err=True)
    for line in [*gate_result.notes, *gate_result.report.remarks()]:
        echo_line(line, err=True)
    echo_line(f"{model}: {gate_result.report.agreement}")
