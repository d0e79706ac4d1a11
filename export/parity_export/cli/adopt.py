"""``parity adopt``."""

from pathlib import Path
from typing import Any

import click

from parity_export.adopt import adopt_package
from parity_export.cli.export import summary
from parity_export.cli.optional_values import OptionalValues
from parity_export.cli.output_options import NAMES, output_options, output_spec
from parity_export.cli.package_options import export_options, package_options
from parity_export.cli.probe_options import OPTIONS as PROBE_OPTIONS
from parity_export.cli.probe_options import probe_options
from parity_export.sources.onnx_file.source_from_onnx import Adoption
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import operators_option


def _probe_options(command: Any) -> Any:
    for option in reversed(PROBE_OPTIONS):
        command = option(command)
    return command


@click.command(cls=OptionalValues)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
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
@operators_option
@package_options
def adopt(model: Path, target: Path, **options: Any) -> None:
    """Make the package folder TARGET of the ONNX file MODEL, from any exporter.

    The contract is the file's own: its inputs, and its outputs bit for bit; where ultralytics, sklearn-onnx or
    transformers wrote what they mean, that is taken, and said; --task tensors leaves it. Exits with 3 and writes
    nothing but TARGET.refused.json if onnxruntime does not answer as the graph does in float64.
    """
    how = export_options(options)
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
