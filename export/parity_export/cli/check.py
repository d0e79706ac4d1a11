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
from parity_runtime.files.atomic_write import write_file
from parity_runtime.files.json_file import dump_table
from parity_runtime.files.paths import refuse_unwritable, resolved


@click.command()
@click.argument("source")
@click.argument("model", type=click.Path(path_type=Path))
@module_options
@click.option("--rtol", type=float, help="Widens the tolerance (with --atol).")
@click.option("--atol", type=float, help="Widens the tolerance (with --rtol).")
@effort_option
@click.option("--out", type=click.Path(path_type=Path), help="A file for the report, as JSON.")
@click.option(
    "--report",
    type=click.Choice(get_args(ReportDetail)),
    help="What it holds: a row for each backend and output [default: summary], or every batch size and group of probes "
    "as well; where MODEL is refused, always all.",
)
def check(source: str, model: Path, out: Path | None, report: ReportDetail | None, **options: Any) -> None:
    """Compare the ONNX file MODEL, from any exporter, with SOURCE, by the gate that parity export applies.

    SOURCE is a run folder, or package.module:Callable with --weights; its own outputs are compared with MODEL's, by
    name where the module has all of MODEL's names, else in order. Without --input the inputs are MODEL's. Exits with 3
    if MODEL does not answer as the module.
    """
    tolerance = ExportOptions(rtol=options.pop("rtol"), atol=options.pop("atol")).tolerance
    effort: Effort = options.pop("effort")
    if out is not None:
        refuse_unwritable(resolved(out))
    elif report is not None:
        raise click.UsageError(
            "--report says what the report holds, and there is no file for it; add --out report.json"
        )
    loaded, graph = bare_module(source, options), read_model(model)
    judged = compared_source(source, loaded, options, graph, model.stem)
    gate_result = check_model(judged, graph, tolerance, effort=effort)
    if out is not None:
        write_file(out, dump_table(report_to_json(judged.contract, gate_result, full=report == "full")))
    if not gate_result.report.passed:
        where = "" if out is None else f"; the whole report is {out}"
        raise ParityRefusedError(
            f"the model does not answer as the module: {gate_result.reason()}{where}; parity diff names the operator"
        )
    if not any(isinstance(size, str) for spec in judged.contract.inputs for size in spec.shape):
        echo_line(f"{model} takes one fixed shape only; say what it should take with --input", err=True)
    for line in [*gate_result.notes, *gate_result.report.remarks()]:
        echo_line(line, err=True)
    echo_line(f"{model}: {gate_result.report.agreement}")
