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
from parity_runtime.cli.sectioned_help import section


def _probe_options(command: Any) -> Any:
    for option in reversed(PROBE_OPTIONS):
        command = option(command)
    return command


_EXAMPLES = """
    # Make a package from an ONNX file
    parity adopt model.onnx packages/adopted
    # Say what the outputs mean
    parity adopt model.onnx packages/species --task multiclass --output scores=logits --classes setosa,virginica
    # Say which sizes and values the model takes
    parity adopt ocr.onnx packages/ocr --input "x: float32[batch, 3, 48, width] in 0..1" --dimension "width in 32..512"
"""
_model = section("The ONNX model")


@click.command(cls=OptionalValues, examples=_EXAMPLES)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@_model("--name", help="The name of the model [default: the name of the file].")
@_model(
    "--input",
    "inputs",
    multiple=True,
    metavar="SPEC",
    help="The sizes and values that an input takes, if MODEL leaves them open, such as "
    '"x: float32[batch, 3, 48, width] in 0..1"; repeatable.',
)
@_model(
    "--output",
    "outputs",
    multiple=True,
    metavar="NAME[=OTHER]",
    help="An output to keep, and its name in the package; of a classifier, the output with its logits or "
    "probabilities, such as scores=logits; repeatable [default: all outputs].",
)
@output_options
@_probe_options
@operators_option
@package_options
def adopt(model: Path, target: Path, **options: Any) -> None:
    """Make the package folder TARGET from the ONNX file MODEL, which any exporter wrote.

    The package takes the inputs and returns the outputs of the file, bit for bit. If ultralytics, sklearn-onnx or
    transformers recorded in the file what the outputs mean, the command uses that and says so; --task tensors ignores
    it.

    The reference is the graph itself, computed in float64. If onnxruntime computes something else, the command exits
    with 3, and writes no package, but a report: TARGET.refused.json.
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
