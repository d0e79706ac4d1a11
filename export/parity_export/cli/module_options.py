"""The options that name a module of the user's and its weights, for export, check and diff."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from parity_export.check_model import model_inputs
from parity_export.cli.probe_options import NAMES as PROBE_NAMES
from parity_export.cli.probe_options import OPTIONS as PROBE_OPTIONS
from parity_export.cli.probe_options import probe_options
from parity_export.export_options import Effort
from parity_export.onnx_graph import OnnxGraph
from parity_export.sources.load_module import Checkpoint, LoadedModule, build_module, load_sample
from parity_export.sources.model_source import ModelSource, source_from_module, specifications
from parity_export.sources.output_spec import OutputSpec
from parity_export.sources.pretrained import is_pretrained, stay_offline
from parity_export.sources.trained_source import source_from_run
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.cli.options import names
from parity_runtime.cli.sectioned_help import section
from parity_runtime.contract import is_encoded
from parity_runtime.inference.input_validation import Arrays
from parity_training import Run
from parity_training.callables import resolve_callable
from parity_training.cli.arguments import name_values

_module = section("Your module, and its weights")

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _module(
        "--weights",
        type=click.Path(path_type=Path),
        help="The state_dict of your module: a file, the index of several files, or a folder with them.",
    ),
    _module("--weights-key", help="Which state_dict to take, if the checkpoint has several, such as ema."),
    _module(
        "--strip-prefix",
        default="",
        show_default=False,
        help="Remove this prefix from the tensors' names, such as student. Needed only if several prefixes fit.",
    ),
    _module(
        "--ignore",
        multiple=True,
        metavar="PATTERN",
        help='Ignore tensors of the checkpoint that your module does not have, such as "criterion.*"; repeatable.',
    ),
    _module(
        "--arg",
        "arguments",
        multiple=True,
        metavar="NAME=VALUE",
        help="A keyword argument of SOURCE, such as hidden=64; repeatable.",
    ),
    _module(
        "--input",
        "inputs",
        multiple=True,
        metavar="SPEC",
        help='An input of forward, with its type and shape, such as "x: float32[batch, 2]"; repeatable.',
    ),
    _module(
        "--output",
        "outputs",
        multiple=True,
        metavar="NAME[=OTHER]",
        help="What a classifier returns, logits or probabilities. Of another module, an output to keep, and its name "
        "in the package; repeatable [default: all outputs].",
    ),
    click.option("--network", help="The package.module:Callable that made the network of the run, if Parity did not."),
    *PROBE_OPTIONS,
)

effort_option = section("How it is validated")(
    "--effort",
    type=click.Choice(get_args(Effort)),
    default="normal",
    show_default=True,
    help="How long to compare a large network: quick is for a first look, normal takes seconds, thorough minutes.",
)

RUN_OPTIONS = ("network", "inputs", "samples", *PROBE_NAMES)
"""What check and diff take of a run as well: a run names its own weights."""


def module_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; they arrive as keyword arguments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def is_run(source: str) -> bool:
    """Whether SOURCE names a run folder rather than ``package.module:Callable``."""
    return ":" not in source or Path(source).is_dir()


def check_source_options(source: str, options: dict[str, Any], for_run: Sequence[str]) -> None:
    """Refuse options that would be ignored: those of a module where SOURCE is a run, and the other way round.

    Args:
        source: SOURCE, as it was given.
        options: of the command, by parameter; what is None or empty was not given.
        for_run: the parameters that a run takes as well.

    Raises:
        click.UsageError: names the first option that does not go with SOURCE.
    """
    given = [name for name, value in options.items() if value not in (None, (), "")]
    if not is_run(source):
        wrong, reason = {"network"}.intersection(given), f"a run folder; {source} names the network itself"
    elif Path(source).is_dir():
        wrong = set(given).difference(for_run)
        reason = f"package.module:Callable; {source} is a run, which records it"
    elif Path(source).suffix == ".py":
        raise click.UsageError(f"SOURCE is a run folder or a callable; of {source} name one: {Path(source).stem}:Net")
    else:  # neither: that is said when it is opened
        return
    for parameter in click.get_current_context().command.params:
        if parameter.name in wrong:
            raise click.UsageError(f"{parameter.opts[0]} is for {reason}")


def user_module(source: str, options: dict[str, Any]) -> LoadedModule:
    """Return ``package.module:Callable`` with its weights.

    Raises:
        InputError: it cannot be built, or the weights do not fit.
    """
    if is_pretrained(source):
        stay_offline()
    checkpoint = Checkpoint(options["weights"], options["weights_key"], options["strip_prefix"], options["ignore"])
    return build_module(source, name_values("--arg", options["arguments"]), checkpoint)


def bare_module(source: str, options: dict[str, Any]) -> LoadedModule:
    """Return the module of a run, or the user's own.

    Raises:
        click.UsageError: an option does not go with SOURCE.
    """
    check_source_options(source, options, RUN_OPTIONS)
    if is_run(source):
        return LoadedModule(Run.open(source).module(run_network(options)))
    return user_module(source, options)


def compared_source(
    source: str, loaded: LoadedModule, options: dict[str, Any], model: OnnxGraph, name: str
) -> ModelSource:
    """Return the module that an ONNX model is judged by, its outputs compared as they are.

    Without --input it is asked what the model takes. A model of a run's table may take the table's own text and
    timestamps; then the module is asked what the encoder makes of them.

    Args:
        source: a run folder, or package.module:Callable.
        loaded: its `bare_module`.
        options: of `module_options`.
        model: what is judged.
        name: of the model.

    Raises:
        InputError: the module and the inputs do not fit, or the model takes text and no run says which there are.
    """
    inputs = input_specs(options) or list(model_inputs(model))
    table = _table_source(source, options, inputs)
    if table is not None:
        if any(options[one] for one in PROBE_NAMES):
            raise click.UsageError(
                "--dimension, --compare, --samples-only and --draw are for the inputs of a module; a run records "
                "what its table holds"
            )
        return replace(table, contract=replace(table.contract, name=name))
    texts = [spec for spec in inputs if spec.dtype == "string"]
    if texts:
        raise InputError(
            f"{name} takes {texts[0]}, and a run of a table with these inputs says which texts there are; give that "
            "run's folder instead of the module"
        )
    output_spec, real = OutputSpec(output=options["outputs"]), sample(options, inputs)
    found = source_from_module(loaded.module, inputs, output_spec, name, real, probe_options(options))
    return found.noting(*loaded.notes)


def _table_source(source: str, options: dict[str, Any], inputs: Sequence[TensorSpec]) -> ModelSource | None:
    """Return the source of a run's table where inputs are its text and timestamps; None where they are not."""
    if not is_run(source):
        return None
    run = Run.open(source)
    contract = run.recipe.contract
    wanted = {spec.name: spec.dtype for spec in contract.inputs}
    if not is_encoded(contract) or {spec.name: spec.dtype for spec in inputs} != wanted:
        return None
    found = source_from_run(run, run_network(options))
    plain = ModelContract(contract.name, "tensors", contract.inputs, (TensorSpec("output", "float32", ()),),
                          contract.features, missing_values=contract.missing_values)  # fmt: skip
    return replace(found, contract=plain)


def run_network(options: dict[str, Any]) -> Callable[..., Any] | None:
    """Return the callable of a run whose network is none of Parity's, where one was given."""
    return None if options["network"] is None else resolve_callable(options["network"])


def input_specs(options: dict[str, Any]) -> list[TensorSpec]:
    """Return the inputs that were given, in their order."""
    return specifications(options["inputs"])


def sample(options: dict[str, Any], inputs: Sequence[TensorSpec]) -> Arrays | None:
    """Return the real inputs that were given, rows first."""
    if options["samples"] is None:
        return None
    return load_sample(options["samples"], inputs, options["dimensions"])


def labels(text: str | None) -> tuple[str | int, ...]:
    """Read ``a,b,c`` as text, or as integers where all are written as such."""
    found = names(text)
    return tuple(map(int, found)) if all(re.fullmatch("0|-?[1-9][0-9]{0,15}", name) for name in found) else found
