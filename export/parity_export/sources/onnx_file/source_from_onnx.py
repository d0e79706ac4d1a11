"""From an ONNX file of anybody's to the source of a package: its graph is the module that its package is judged by."""

import contextlib
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from onnx import ModelProto

from parity_export.onnx_module.graph_module import GraphModule
from parity_export.quiet import quiet
from parity_export.sources.argument_binding import flatten
from parity_export.sources.example_inputs import EXAMPLE_SIZES, NotAcceptedError
from parity_export.sources.load_module import load_sample
from parity_export.sources.model_source import ModelSource, source_from_module
from parity_export.sources.onnx_file.choose_outputs import cut, with_outputs
from parity_export.sources.onnx_file.graph_domains import graph_domains, with_domains
from parity_export.sources.onnx_file.input_shapes import GraphInputs, graph_inputs, longer, multiples, unspoken
from parity_export.sources.onnx_file.published_meaning import ChosenMeaning, chosen_meaning
from parity_export.sources.onnx_file.random_operators import check_deterministic
from parity_export.sources.onnx_file.read_file import OnnxFile, operators_outside, read_onnx_file
from parity_export.sources.onnx_file.size_multiples import size_multiple
from parity_export.sources.onnx_file.sklearn_meaning import class_labels
from parity_export.sources.output_choice import Leaf, OutputChoice
from parity_export.sources.output_spec import OutputSpec, decides, module_output
from parity_export.sources.own_labels import OwnLabels, label_outputs
from parity_export.sources.probe_options import ProbeOptions
from parity_runtime import InputError, ModelContract, TensorSpec, __version__
from parity_runtime.arguments import argument
from parity_runtime.contract import batch_name
from parity_runtime.errors import first_line

_LONG = 512
"""Sizes from here on are tried where a graph takes no smaller ones: a second of sound is cut into as many samples."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What the inputs and outputs of an ONNX file mean. What you leave out is taken from the file.

    >>> from parity_export import Adoption
    >>> Adoption(inputs=["image: float32[batch, 3, 48, width] in 0..1"]).name is None
    True

    Attributes:
        name: the model's name; by default the name of the file without its suffix.
        inputs: specifications of some inputs, by their names in the file: sizes that the file leaves open, and what the
            inputs may hold.
        output_spec: what the outputs mean. By default what ultralytics, sklearn-onnx or transformers recorded in the
            file or beside it, else tensors without a meaning.
        samples: an .npz file of real inputs, with an array for each input, by its name.
        probes: which sizes the dimensions may have, what is compared, and who draws the inputs of the comparison.
        allow_operators: operators outside the ONNX standard to allow, such as ``com.microsoft::Gelu``. Whoever loads
            the package must allow each of them again.
    """

    name: str | None = None
    inputs: Sequence[str] = ()
    output_spec: OutputSpec | None = None
    samples: Path | None = None
    probes: ProbeOptions = field(default_factory=ProbeOptions)
    allow_operators: Sequence[str] = ()


@quiet
def source_from_onnx(path: str | Path, adoption: Adoption | None = None) -> ModelSource:
    """Return the source of an ONNX file: its module evaluates the file's graph, operator by operator.

    >>> import onnx
    >>> from parity_export import source_from_onnx
    >>> graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"
    >>> onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {graph}'), "relu.onnx")
    >>> source_from_onnx("relu.onnx")
    ModelSource('relu', GraphModule, tensors, 1 input)

    Args:
        path: the ONNX file.
        adoption: what the file's inputs and outputs mean; None takes it from the file.

    Raises:
        InputError: the file is not an ONNX model, has an operator that is not allowed, draws random numbers, leaves a
            shape open that ``adoption`` does not specify, or accepts none of the sizes that Parity tries.
    """
    path, adoption = Path(path), adoption or Adoption()
    file = read_onnx_file(path, adoption.allow_operators)
    meaning = chosen_meaning(file, adoption.output_spec, adoption.inputs)
    model, names, left = with_outputs(file.model, meaning.output_spec, meaning.value, str(path))
    if not adoption.probes.samples_only:
        check_deterministic(model, str(path))
    source, inputs = _accepted(file, model, meaning, adoption)
    provenance = {"file": file.digest, "parity": __version__} | _producer(model)
    contract = replace(source.contract, provenance=provenance, operators=operators_outside(model))
    if contract.task == "tensors":
        contract = replace(contract, outputs=tuple(TensorSpec(name, "float32", ()) for name in names))
    return replace(
        source.noting(*meaning.notes, *left, *inputs.notes),
        contract=contract,
        adopted=model,
        own_labels=_own_labels(file, model, contract),
        outputs=_output_choice(names) if contract.task == "tensors" else source.outputs,
    )


def _accepted(
    file: OnnxFile, model: ModelProto, meaning: ChosenMeaning, adoption: Adoption
) -> tuple[ModelSource, GraphInputs]:
    """Return the source with the most general inputs that the graph takes.

    Raises:
        InputError: it takes none of the sizes that are tried.
    """
    module, first = GraphModule(model), None
    found = graph_inputs(model, [*adoption.inputs, *meaning.inputs], str(file.path))
    found = [with_domains(inputs, graph_domains(model)) for inputs in found]
    for inputs in found:
        try:
            return _counted(_Asked(file, module, meaning.output_spec, adoption), inputs)
        except InputError as error:
            first = first or error
    for inputs in found if isinstance(first, NotAcceptedError) else ():
        with contextlib.suppress(InputError):
            return _lengthened(_Asked(file, module, meaning.output_spec, adoption), inputs)
    way_out = f"{argument('inputs', option='--input')} or {argument('dimensions', option='--dimension')}"
    more = f"; say which sizes it takes with {way_out}" if isinstance(first, NotAcceptedError) else ""
    raise InputError(f"{file.path}: {first}{more}") from first


@dataclass(frozen=True)
class _Asked:
    """A file's graph, and what is said of it."""

    file: OnnxFile
    module: GraphModule
    output_spec: OutputSpec
    adoption: Adoption

    def source(self, inputs: GraphInputs) -> ModelSource:
        """Return the source with some inputs.

        Raises:
            InputError: the graph does not take them.
        """
        adoption, spec = self.adoption, self.output_spec
        probes = replace(adoption.probes, dimensions=[*inputs.rules, *adoption.probes.dimensions])
        sample = None
        if adoption.samples is not None:
            sample = load_sample(adoption.samples, inputs.specs, probes.dimensions)
        of_module = replace(spec, output=_module_output(spec))
        name = adoption.name or self.file.path.stem
        source = source_from_module(self.module, inputs.specs, of_module, name, sample, probes)
        reason = _refusal_in_float64(source, {})
        if reason is not None:
            raise NotAcceptedError(f"the graph does not accept {'; '.join(map(str, inputs.specs))}: {reason}")
        return source


def _counted(asked: _Asked, inputs: GraphInputs) -> tuple[ModelSource, GraphInputs]:
    """Return the source with what its sizes show: lengths that count no rows, and multiples."""
    source = asked.source(inputs)
    length = _length(source)
    if length is not None:
        inputs = _with_length(inputs, *length)
        source = asked.source(inputs)
    names = unspoken(inputs, asked.adoption.probes.dimensions)
    multiple = size_multiple(source, names)
    if multiple == 1:
        return source, inputs
    inputs = multiples(inputs, names, multiple)
    return asked.source(inputs), inputs


def _lengthened(asked: _Asked, inputs: GraphInputs) -> tuple[ModelSource, GraphInputs]:
    """Return the source with larger sizes, the smallest that halving finds between those that were tried.

    Raises:
        InputError: the graph takes none of them.
    """
    names = unspoken(inputs, asked.adoption.probes.dimensions)
    least = dict.fromkeys(names, _LONG)
    source, _ = _counted(asked, longer(inputs, least))
    for name in names:
        refused = EXAMPLE_SIZES[-1]
        while least[name] - refused > 1:
            middle = (refused + least[name]) // 2
            taken = source.refusal({name: middle}) is None and _refusal_in_float64(source, {name: middle}) is None
            refused, least[name] = (refused, middle) if taken else (middle, least[name])
    with contextlib.suppress(InputError):
        return _counted(asked, longer(inputs, least))
    return _counted(asked, longer(inputs, dict.fromkeys(names, _LONG)))


def _refusal_in_float64(source: ModelSource, sizes: Mapping[str, int]) -> str | None:
    """Return why the graph cannot be judged at sizes, as where a window is larger than what it moves over."""
    tensors = [one.double() if one.is_floating_point() else one for one in source.example.tensors(sizes)]
    try:
        copy.copy(source.module).double()(*tensors)
    except Exception as error:  # the file's own nodes
        return first_line(error)
    return None


def _length(source: ModelSource) -> tuple[str, int] | None:
    """Return the dimension that would count rows, and an output that has no axis of it: then it counts none."""
    name = batch_name(source.contract)
    if name in (None, "batch"):
        return None
    name = str(name)
    more = source.example.sizes[name] + 1
    try:
        with torch.no_grad():
            one, other = ([tensor.shape for tensor in flatten(source.call(*source.example.tensors(sizes)))]
                          for sizes in (None, {name: more}))  # fmt: skip
    except Exception:  # a graph that takes no such size: the gate asks its own
        return None
    without = [index for index, shapes in enumerate(zip(one, other, strict=True)) if not _has_axis(*shapes)]
    return (name, without[0]) if without else None


def _has_axis(shape: Sequence[int], longer: Sequence[int]) -> bool:
    """Whether an axis is longer by the one by which a dimension is."""
    return len(shape) == len(longer) and any(more - size == 1 for size, more in zip(shape, longer, strict=True))


def _with_length(inputs: GraphInputs, name: str, output: int) -> GraphInputs:
    note = f"{name} does not count rows, which are run alone and together: output {output} has no such axis"
    return replace(inputs, rules=(*inputs.rules, f"{name} >= 1"), notes=(*inputs.notes, note))


def _module_output(output_spec: OutputSpec) -> str | list[str] | None:
    """Return which of the module's tensors is meant: the only one that is left, by its place."""
    if decides(output_spec.task):
        return None if output_spec.output in (None, ()) else f"0={module_output(output_spec)}"
    return None if output_spec.task == "tensors" else [f"0={output_spec.task}"]


def _own_labels(file: OnnxFile, model: ModelProto, contract: ModelContract) -> OwnLabels | None:
    """Return what the file itself decides, where its package decides as well."""
    if contract.task not in ("binary", "multiclass"):
        return None
    outputs = label_outputs(file.model, [value.name for value in model.graph.output])
    return OwnLabels(cut(file.model, outputs), class_labels(file.model)) if outputs else None


def _output_choice(names: Sequence[str]) -> OutputChoice:
    return OutputChoice(tuple((name, Leaf(str(index), (index,))) for index, name in enumerate(names)))


def _producer(model: ModelProto) -> dict[str, str]:
    told = f"{model.producer_name} {model.producer_version}".strip()
    return {"producer": told[:100]} if told else {}
