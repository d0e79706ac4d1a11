"""What is exported: a torch module with its weights, and what its inputs and outputs mean."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from parity_export.onnx_module.graph_module import GraphModule
from parity_export.quiet import quiet
from parity_export.sources.argument_binding import Binding, bare, bind, required_names
from parity_export.sources.example_inputs import Example
from parity_export.sources.half_precision import BFloat16Watch, half_inputs, in_float32, in_float32_spec
from parity_export.sources.infer_domains import blind_masks
from parity_export.sources.module_checks import check_dtypes, check_returned, check_sizes, nan_note
from parity_export.sources.output_choice import OutputChoice, leaves_of
from parity_export.sources.output_spec import (
    ModuleOutput,
    OutputSpec,
    choose_outputs,
    feature_fields,
    module_output,
    task_fields,
)
from parity_export.sources.own_labels import OwnLabels
from parity_export.sources.probe_options import Draw, ProbeOptions, compared_where
from parity_export.sources.settled_example import settled_example
from parity_export.sources.watched_call import watched_call
from parity_runtime import InputError, ModelContract, TensorSpec, __version__
from parity_runtime.arguments import argument
from parity_runtime.contract import row_dimension
from parity_runtime.drift.profile import Profile
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import shown
from parity_training import weights_id
from parity_training.data.encode_columns import encode_columns, network_inputs


@dataclass(frozen=True)
class ModelSource:
    """A module to export, and what its inputs and outputs mean; `source_from_module` makes one.

    >>> from torch import nn
    >>> from parity_export import OutputSpec, source_from_module
    >>> source = source_from_module(nn.Linear(2, 1), ["x: float32[batch, 2]"], OutputSpec("binary", "logits"), "mine")
    >>> source
    ModelSource('mine', Linear, binary, 2 features)
    >>> source.contract.classes
    (0, 1)

    Attributes:
        module: the module with its weights, on the CPU, in eval mode.
        contract: what the module's inputs and outputs mean. What an export measures is still empty.
        example: arguments that the module accepts.
        module_output: classifiers only: what the module itself returns.
        sample: real rows, by input name; None if there are none.
        profile: a summary of the training rows; None if unknown.
        evaluation: what evaluation.json of the run says: how good the model is on held-out rows; empty if unknown.
        compared_where: for an output that is compared only at some positions: the input, such as a mask, that is not
            zero at these positions.
        blind_masks: names of attention masks with which a position may attend to nothing. An output with a value for
            each position is compared only where such a mask allows attention.
        samples_only: whether the module is compared on the sample only.
        draw: a function that draws the probes, which are the inputs of the comparison; None if Parity draws them.
        notes: lines about how the module was made, and about its inputs, for the user.
        outputs: which of the tensors that the module returns are its outputs.
        as_float32: whether the module's code runs in float32 where it asks for half precision.
        decided_sizes: sizes of the dynamic dimensions, except the batch, at which the module's code takes another
            branch than the one in the graph.
        adopted: the graph of the ONNX file, if the module evaluates one; the package's graph is made from it. None if
            torch traces the module.
        own_labels: for an ONNX file that returns labels of its own beside its scores: these labels; None without them.
            The package decides by the scores.
    """

    module: nn.Module
    contract: ModelContract
    example: Example
    module_output: ModuleOutput = "logits"
    sample: Arrays | None = None
    profile: Profile | None = None
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    compared_where: Mapping[str, str] = field(default_factory=dict)
    blind_masks: tuple[str, ...] = ()
    samples_only: bool = False
    draw: Draw | None = None
    notes: tuple[str, ...] = ()
    outputs: OutputChoice = field(default_factory=OutputChoice)
    as_float32: bool = False
    decided_sizes: tuple[Mapping[str, int], ...] = ()
    adopted: ModelProto | None = None
    own_labels: OwnLabels | None = None

    def __repr__(self) -> str:
        return f"ModelSource({self.contract.name!r}, {type(self.module).__name__}, {self.contract.brief})"

    @property
    def module_inputs(self) -> tuple[TensorSpec, ...]:
        """The module's own inputs: the numbers and indices that an encoder makes, or else the contract's inputs."""
        return network_inputs(self.contract)

    @property
    def answerer(self) -> str:
        """What messages call the module."""
        return "torch" if self.adopted is None else "the file's own graph"

    @property
    def call(self) -> Binding:
        """The module as a function of its own inputs."""
        return self.calling(self.module)

    def calling(self, module: nn.Module) -> Binding:
        """Return a copy of the module as a function of the module's own inputs.

        Args:
            module: the copy, which may be in another dtype, such as float64.
        """
        return replace(bind(module, self.module_inputs), outputs=self.outputs, as_float32=self.as_float32)

    @property
    def said(self) -> tuple[str, ...]:
        """All notes for the user, with those on how the module is called, a line each."""
        note = self.call.note
        return (*self.notes, *self.outputs.notes, *(() if note is None else (note,)))

    def noting(self, *notes: str) -> "ModelSource":
        """Return a copy of the source with more notes, placed before its own.

        Args:
            notes: the notes, a line each, such as `parity_training.load_weights` returns.
        """
        return replace(self, notes=(*notes, *self.notes))

    def refusal(self, sizes: Mapping[str, int]) -> str | None:
        """Return why the module does not accept these sizes of the dynamic dimensions; None if it accepts them.

        Args:
            sizes: the size of each dynamic dimension, by its name.
        """
        try:
            with torch.no_grad():
                self.call(*self.example.tensors(sizes))
        except Exception as error:  # the user's own code
            return first_line(error)
        return None

    def arrays(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Return the module's own inputs for a batch of the contract's inputs, one array for each.

        Python code encodes text and timestamps, never the graph, because the graph is what is tested.

        Args:
            inputs: every input of the contract by name, of its shape and dtype.
        """
        encoded = encode_columns(self.contract, inputs)
        return [np.asarray(encoded[spec.name], order="C") for spec in self.module_inputs]


@quiet
def source_from_module(
    module: nn.Module,
    inputs: Sequence[TensorSpec | str],
    output_spec: OutputSpec,
    name: str,
    sample: Arrays | None = None,
    probes: ProbeOptions | None = None,
) -> ModelSource:
    """Return the source of a module that is in memory, for `export_package`.

    >>> from torch import nn
    >>> from parity_export import OutputSpec, source_from_module
    >>> source_from_module(nn.Conv2d(3, 8, 3), ["image: float32[batch, 3, 32, 32]"], OutputSpec(), "conv")
    ModelSource('conv', Conv2d, tensors, 1 input)

    Args:
        module: the module with its weights. A copy in eval mode is exported, without wrappers such as torch.compile's.
            The copy is in float32 if the module is in half precision.
        inputs: a specification of each input, such as ``"x: float32[batch, 5]"``. If all names are parameters of
            ``forward``, the order does not matter. Else the inputs are its positional arguments, in this order.
            ``batch.ids`` is the entry ``ids`` of a dict ``batch``; ``states.0`` is the first element of a tuple
            ``states``. For a bfloat16 input the package takes float32. A specification may end with what the input may
            hold, such as ``in 0..1``. For integers and booleans Parity finds this out if it is left out.
        output_spec: what the outputs mean.
        name: the model's name.
        sample: real rows, by input name.
        probes: which sizes the dimensions may have, what is compared, and who draws the inputs of the comparison.

    Raises:
        InputError: the module does not accept these inputs; one of its tensors has a dtype that numpy lacks;
            ``output_spec`` contradicts itself, or what the module returns; or the sample contradicts ``inputs``.
    """
    if not inputs:
        raise InputError(
            "say of each argument of the module's forward which dtype and shape it has, as in "
            + argument("inputs", [f"{name}: float32[batch, 2]" for name in required_names(module)], option="--input")
        )
    options, specs = probes or ProbeOptions(), specifications(inputs)
    module, converted = _computing_in_float32(_eval_copy(bare(module)))
    check_dtypes(module)
    call = replace(bind(module, specs), as_float32=converted is not None)
    example, inferred = settled_example(call, specs, options.dimensions, sample)
    call, computed, returned = _answering(call, example, output_spec)
    made = (converted, computed, nan_note(module))
    notes = [*half_inputs(inputs), *(note for note in made if note is not None), *inferred]
    said = {rule.name: rule.text for rule in example.rules}
    batch = row_dimension(example.inputs, said)
    check_returned(returned)
    check_sizes(call, example, returned)
    sizes = _row_sizes(returned, output_spec)
    is_graph = isinstance(module, GraphModule)  # its file's digest names it
    provenance: dict[str, str | int | None] = {} if is_graph else {"weights": weights_id(module.state_dict())}
    contract = ModelContract(
        name=name,
        task=output_spec.task,
        inputs=example.inputs,
        features=feature_fields(example.inputs, output_spec),
        provenance=provenance | package_versions(),
        dimensions=said,
        **task_fields(output_spec, sizes, _batch(batch, example.inputs, output_spec)),
    )
    if output_spec.task == "tensors":  # the graph says their dtypes and shapes
        contract = replace(contract, outputs=tuple(TensorSpec(name, "float32", ()) for name in call.outputs.names))
    return ModelSource(
        module, contract, example, module_output(output_spec), sample,
        compared_where=compared_where(options.compare, example.inputs),
        blind_masks=tuple(blind_masks(call, example)),
        samples_only=_only(options.samples_only, sample), draw=options.draw, notes=tuple(notes),
        outputs=call.outputs, as_float32=call.as_float32,
    )  # fmt: skip


def specifications(inputs: Sequence[TensorSpec | str]) -> list[TensorSpec]:
    """Return what a module takes; specifications may be written as text.

    Raises:
        InputError: one is no specification, or there is one alone in the place of a list.
    """
    if isinstance(inputs, str | TensorSpec):
        raise InputError(f"inputs is {shown(str(inputs))} alone; give a list: inputs=[{str(inputs)!r}]")
    return [TensorSpec.parse(in_float32_spec(spec)) if isinstance(spec, str) else spec for spec in inputs]


def _eval_copy(module: nn.Module) -> nn.Module:
    """Return the module, or a copy of it where a part of it is in train mode: the caller's stays as it is."""
    return copy.deepcopy(module).eval() if any(part.training for part in module.modules()) else module


def _computing_in_float32(module: nn.Module) -> tuple[nn.Module, str | None]:
    """Return a module in float32 where it is in half precision, and a line that says so; a graph has its own dtypes."""
    return (module, None) if isinstance(module, GraphModule) else in_float32(module)


def _answering(call: Binding, example: Example, output_spec: OutputSpec) -> tuple[Binding, str | None, Any]:
    """Return a binding with the outputs that are meant, what is said of a module in bfloat16, and what it returned.

    Raises:
        InputError: the module returns nothing that a graph could give, or lacks an output that was chosen.
    """
    watch, said = BFloat16Watch(), None
    watched_call(call, example.tensors(), watch)
    if watch.seen:
        said = "the module computes in bfloat16, which onnxruntime does not on a CPU: it is computed in float32"
        call = replace(call, as_float32=True)
    with torch.no_grad():
        returned = call(*example.tensors())
    outputs = choose_outputs(returned, output_spec)
    kept = [leaf.of(returned) for leaf in leaves_of(returned) if leaf.kept]
    check_returned(outputs.pick(returned) if output_spec.output else kept)
    return replace(call, outputs=outputs), said, outputs.pick(returned)


def _row_sizes(returned: Any, output_spec: OutputSpec) -> tuple[int, ...]:
    """Return the sizes of a row of what the module returned (1 for ``[batch]``); none if it is no single tensor."""
    if not isinstance(returned, torch.Tensor) or returned.ndim == 0:
        return ()
    if output_spec.task != "tensors" and returned.dtype != torch.float32:
        raise InputError(
            f"{argument('task', output_spec.task)} takes a module that returns float32; "
            f"this one returns {returned.dtype}"
        )
    return tuple(returned.shape[1:]) or (1,)


def _batch(batch: str | None, inputs: Sequence[TensorSpec], output_spec: OutputSpec) -> str:
    """Return the name of the dimension that counts rows; a known task cannot do without."""
    if batch is None and output_spec.task != "tensors":
        raise InputError(
            f"{argument('task', output_spec.task)} takes rows: name the batch in {inputs[0]}, as float32[batch, ...]"
        )
    return batch or "batch"


def _only(samples_only: bool, sample: Arrays | None) -> bool:
    if samples_only and sample is None:
        raise InputError(
            f"{argument('samples_only', True)} compares on the sample only, and there is none; give "
            f"{argument('sample', option='--samples')}"
        )
    return samples_only


def package_versions() -> dict[str, str | int | None]:
    """Return what a contract's provenance says of the libraries that made it."""
    return {"parity": __version__, "torch": torch.__version__.partition("+")[0]}
