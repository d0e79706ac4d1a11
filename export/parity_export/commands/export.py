"""``parity export``."""

import json
import re
import traceback
from pathlib import Path
from typing import Any

import click

from parity_export.export import Exported, export_package
from parity_export.options import ExportOptions
from parity_export.source import (
    Meaning,
    ModelSource,
    load_module,
    load_sample,
    source_from_module,
    source_from_run,
)
from parity_runtime import InputError, TensorSpec
from parity_runtime.contract import TASKS
from parity_training import Run, load_state_dict


@click.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a package that stands there already.")
@click.option("--weights", type=click.Path(path_type=Path), help="The state_dict of a foreign module.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Keyword arguments of the callable.")
@click.option("--input", "inputs", multiple=True, metavar="SPEC", help='"features: float32[batch, 2]"; repeatable.')
@click.option("--task", type=click.Choice(TASKS), help="What a foreign module's output means [default: tensors].")
@click.option("--output", type=click.Choice(["logits", "probabilities"]), help="What a foreign classifier returns.")
@click.option("--classes", metavar="A,B,...", help="Labels by index [default: 0,1,...].")
@click.option("--positive", help="The class that a binary output speaks of; must be the second.")
@click.option("--threshold", type=float, help="Probability from which on a row is positive [default: 0.5].")
@click.option("--features", metavar="A,B,...", help="Column names [default: x1,x2,...].")
@click.option("--targets", metavar="A,B,...", help="Names of the predicted columns.")
@click.option("--name", help="The model's name [default: the callable's].")
@click.option("--weights-key", help="The entry of a checkpoint that holds the state_dict, such as state_dict.")
@click.option("--strip-prefix", default="", help="Taken off every tensor's name, such as model. or module.")
@click.option("--samples", type=click.Path(path_type=Path), help="An .npz of real inputs by name.")
@click.option("--opset", type=int, help="The ONNX opset [default: torch's choice].")
@click.option("--ir-version", type=int, help="The ONNX IR version [default: torch's choice].")
@click.option("--rtol", type=float, help="Widens the tolerance (with --atol); the report and the card say so.")
@click.option("--atol", type=float, help="Widens the tolerance (with --rtol).")
@click.option("--verbose", is_flag=True, help="Show torch's own reason when it cannot export.")
def export(source: str, target: Path, force: bool, verbose: bool, **options: Any) -> None:
    """Export SOURCE into the package folder TARGET, if both give the same answers.

    SOURCE is a run folder, or package.module:Callable with --weights and --input. Exits with 3 and writes
    nothing but TARGET.refused.json if the graph does not answer as the module.
    """
    how = ExportOptions(force, *(options.pop(name) for name in ("opset", "ir_version", "rtol", "atol")))
    try:
        chosen = _run_source(source, options) if _is_run(source) else _module_source(source, options)
        exported = export_package(chosen, target, how)
    except InputError as error:
        if verbose and error.__cause__ is not None:
            click.echo("".join(traceback.format_exception(error.__cause__)), err=True)
        raise
    for line in story(exported):
        click.echo(line)


def story(exported: Exported) -> list[str]:
    """Return what an export did, for a person."""
    cells = exported.verdict.report.cells
    compared = sum(difference.compared for cell in cells for difference in cell.differences)
    lines = [f"gate: {compared} values in {len(cells)} configurations of onnxruntime agree with torch"]
    for name, tolerance in exported.contract.tolerance.items():
        worst = max(found.max_abs for found in exported.verdict.report.differences(name, "ordinary"))
        lines.append(f"  {name}: largest deviation from float64 {worst:.3g} (allowed at least {tolerance.floor:.3g})")
    return [*lines, f"package: {exported.path}", f"id: {exported.package_id}"]


def _is_run(source: str) -> bool:
    return ":" not in source or Path(source).is_dir()


def _run_source(source: str, options: dict[str, Any]) -> ModelSource:
    given = [name for name, value in options.items() if value not in (None, (), "")]
    if given:
        raise click.UsageError(
            f"--{given[0].removesuffix('uments')} goes with package.module:Callable; a run says it itself"
        )
    return source_from_run(Run.open(source))


def _module_source(source: str, options: dict[str, Any]) -> ModelSource:
    if options["weights"] is None:
        raise click.UsageError(f"{source} needs its state_dict: --weights FILE")
    weights = options["weights"]
    state_dict = load_state_dict(weights, options["weights_key"], options["strip_prefix"])
    module = load_module(source, dict(map(_argument, options["arguments"])), state_dict, str(weights))
    inputs = [TensorSpec.parse(text) for text in options["inputs"]]
    sample = load_sample(options["samples"], inputs) if options["samples"] is not None else None
    meaning = Meaning(
        task=options["task"] or "tensors",
        output=options["output"],
        classes=_labels(options["classes"]),
        positive=options["positive"],
        threshold=options["threshold"],
        features=_names(options["features"]),
        targets=_names(options["targets"]),
    )
    name = options["name"] or source.rpartition(":")[2]
    return source_from_module(module, inputs, meaning, name, sample)


def _argument(text: str) -> tuple[str, Any]:
    """Read ``name=value``; the value is JSON where it is valid JSON, else text."""
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise click.UsageError(f"--arg {text!r} is not written as name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _names(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(part.strip() for part in text.split(","))


def _labels(text: str | None) -> tuple[str | int, ...]:
    names = _names(text)
    return tuple(map(int, names)) if all(re.fullmatch("0|-?[1-9][0-9]{0,15}", name) for name in names) else names
