"""``parity adopt``."""

from pathlib import Path
from typing import Any, get_args

import click

from parity_export.adopt import adopt_package
from parity_export.cli.export import summary
from parity_export.cli.module_options import effort_option
from parity_export.cli.output_options import NAMES, output_options, output_spec
from parity_export.cli.probe_options import OPTIONS as PROBE_OPTIONS
from parity_export.cli.probe_options import probe_options
from parity_export.export_options import ExportOptions, ReportDetail
from parity_export.sources.onnx_file.source_from_onnx import Adoption
from parity_runtime.cli.echo import echo_line


def _probe_options(command: Any) -> Any:
    for option in reversed(PROBE_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a package that stands there already.")
@click.option("--name", help="The model's name [default: the file's].")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SPEC",
    help='"x: float32[batch, 3, 48, width] in 0..1": sizes that MODEL leaves open, and what it takes; repeatable.',
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME[=OTHER]",
    help="An output of MODEL, under another name in the package; of a classifier what it is, logits or probabilities; "
    "repeatable [default: all].",
)
@output_options
@click.option("--samples", type=click.Path(path_type=Path), help="An .npz of real inputs by name.")
@_probe_options
@click.option(
    "--allow-operator",
    "allow_operators",
    multiple=True,
    metavar="DOMAIN::NAME",
    help="An operator outside of the ONNX standard that MODEL may hold, as com.microsoft::Gelu; repeatable.",
)
@click.option("--rtol", type=float, help="Widens the tolerance (with --atol); the report and the card say so.")
@click.option("--atol", type=float, help="Widens the tolerance (with --rtol).")
@click.option("--certified", is_flag=True, help="Add a graph whose every answer carries its proven rounding error.")
@click.option(
    "--report",
    type=click.Choice(get_args(ReportDetail)),
    default="summary",
    help="What parity.json holds: a row for each backend and output, or every batch size and group of probes as well.",
)
@click.option("--external-weights", is_flag=True, help="Keep large tensors in weights.bin, beside the graph.")
@effort_option
@click.option("--no-plots", is_flag=True, help="Leave the model card's plots out.")
def adopt(model: Path, target: Path, force: bool, no_plots: bool, **options: Any) -> None:
    """Make the package folder TARGET of the ONNX file MODEL, from any exporter.

    The contract is the file's own: its inputs, and its outputs bit for bit; where ultralytics, sklearn-onnx or
    transformers wrote what they mean, that is taken, and said; --task tensors leaves it. Exits with 3 and writes
    nothing but TARGET.refused.json if onnxruntime does not answer as the graph does in float64.
    """
    names = ("rtol", "atol", "report", "effort", "certified", "external_weights")
    how = ExportOptions(replace=force, plots=not no_plots, **{name: options.pop(name) for name in names})
    said = any(options[name] not in (None, ()) for name in (*NAMES, "outputs"))
    adoption = Adoption(
        name=options["name"],
        inputs=options["inputs"],
        output_spec=output_spec(options) if said else None,
        samples=options["samples"],
        probes=probe_options(options),
        allow_operators=options["allow_operators"],
    )
    adopted = adopt_package(model, target, adoption, how)
    for line in [*adopted.gate_result.notes, *adopted.gate_result.report.remarks()]:
        echo_line(line, err=True)
    for line in summary(adopted):
        echo_line(line)
