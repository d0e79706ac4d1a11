"""What is exported: a torch module with its weights, and what its inputs and outputs mean."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from parity_export.sources.argument_binding import Binding, bare, bind
from parity_export.sources.example_inputs import Example
from parity_export.sources.module_checks import check_dtypes, check_returned, check_sizes
from parity_export.sources.output_spec import ModuleOutput, OutputSpec, feature_fields, task_fields
from parity_runtime import InputError, ModelContract, TensorSpec, __version__
from parity_runtime.arguments import argument
from parity_runtime.contract import batch_name
from parity_runtime.drift.profile import Profile
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import shown
from parity_runtime.tables.feature_columns import chunk_inputs
from parity_runtime.tables.table_file import read_table
from parity_training import Run, weights_id
from parity_training.data.encode_columns import encode_columns, network_inputs
from parity_training.networks.registry import Network
from parity_training.run import TEST_TABLE


@dataclass(frozen=True)
class ModelSource:
    """A module to export.

    >>> from torch import nn
    >>> from parity_export import OutputSpec, source_from_module
    >>> source = source_from_module(nn.Linear(2, 1), ["x: float32[batch, 2]"], OutputSpec("binary", "logits"), "mine")
    >>> source
    ModelSource('mine', Linear, binary, 2 features)
    >>> source.contract.classes
    (0, 1)

    Attributes:
        module: with its weights, on the CPU, in eval mode.
        contract: what it takes and gives; what an export measures is still empty.
        example: arguments that the module accepts.
        module_output: classifiers only: what the module itself returns.
        sample: real rows, by input name; None if there are none.
        profile: what the rows of its training looked like; None where nobody knows.
    """

    module: nn.Module
    contract: ModelContract
    example: Example
    module_output: ModuleOutput = "logits"
    sample: Arrays | None = None
    profile: Profile | None = None

    def __repr__(self) -> str:
        return f"ModelSource({self.contract.name!r}, {type(self.module).__name__}, {self.contract.brief})"

    @property
    def module_inputs(self) -> tuple[TensorSpec, ...]:
        """What the module itself takes: behind an encoder numbers and indices, else the contract's own inputs."""
        return network_inputs(self.contract)

    @property
    def call(self) -> Binding:
        """The module as a function of its own inputs."""
        return bind(self.module, self.module_inputs)

    def arrays(self, inputs: Arrays) -> list[NDArray[Any]]:
        """Return what the module is given for a batch of the contract's inputs, one array for each of its own.

        Text and timestamps are encoded by the Python reference, never by the graph that is judged.
        """
        encoded = encode_columns(self.contract, inputs)
        return [np.ascontiguousarray(encoded[spec.name]) for spec in self.module_inputs]


def source_from_run(run: Run, user_network: Network | None = None) -> ModelSource:
    """Return the source that a run describes, its held-out rows as the sample.

    >>> from parity_export import source_from_run
    >>> from parity_training import XORSettings, train_xor
    >>> source_from_run(train_xor("runs/source", XORSettings(size=200, epochs=1), replace=True))
    ModelSource('xor', XORClassifier, binary, 2 features)

    Args:
        run: a finished one.
        user_network: the callable of a run whose network is none of Parity's; a run names no code.

    Raises:
        InputError: the run has not finished, its weights do not fit, or one has a dtype that numpy lacks.
        FormatError: its recipe or its profile is malformed.
    """
    with run.reading():
        module, sample, profile = run.module(user_network), _test_rows(run), run.profile()
    check_dtypes(module)
    provenance = {"weights": weights_id(module.state_dict()), "seed": run.recipe.training.get("seed")}
    contract = replace(run.recipe.contract, provenance=provenance | _versions())
    example = Example.of(module, network_inputs(contract))
    return ModelSource(module, contract, example, sample=sample, profile=profile)


def source_from_module(
    module: nn.Module,
    inputs: Sequence[TensorSpec | str],
    output_spec: OutputSpec,
    name: str,
    sample: Arrays | None = None,
) -> ModelSource:
    """Return the source of a live module.

    >>> from torch import nn
    >>> from parity_export import OutputSpec, source_from_module
    >>> source_from_module(nn.Conv2d(3, 8, 3), ["image: float32[batch, 3, 32, 32]"], OutputSpec(), "conv")
    ModelSource('conv', Conv2d, tensors, 1 input)

    Args:
        module: with its weights; a copy in eval mode is exported, without wrappers such as torch.compile's.
        inputs: specifications such as ``"x: float32[batch, 5]"``, named as the parameters of its ``forward``, in any
            order; where a name is no parameter, one a positional argument, in that order.
        output_spec: what its outputs mean.
        name: the model's name.
        sample: real rows by input name.

    Raises:
        InputError: the inputs are not what the module takes, a tensor of it has a dtype that numpy lacks, or the
            meaning contradicts itself or what the module returns.
    """
    if not inputs:
        raise InputError(
            "say what the module takes, one for each argument of its forward: "
            + argument("inputs", ["features: float32[batch, 2]"], option="--input")
        )
    specs = specifications(inputs)
    module = _eval_copy(bare(module))
    check_dtypes(module)
    example = Example.of(module, specs)
    sizes = _row_sizes(module, example, output_spec)
    batch = _batch(specs, output_spec)
    provenance: dict[str, str | int | None] = {"weights": weights_id(module.state_dict())}
    contract = ModelContract(
        name=name,
        task=output_spec.task,
        inputs=tuple(specs),
        features=feature_fields(specs, output_spec),
        provenance=provenance | _versions(),
        **task_fields(output_spec, sizes, batch),
    )
    return ModelSource(module, contract, example, output_spec.output or "logits", sample)


def specifications(inputs: Sequence[TensorSpec | str]) -> list[TensorSpec]:
    """Return what a module takes; specifications may be written as text.

    Raises:
        InputError: one is no specification, or there is one alone in the place of a list.
    """
    if isinstance(inputs, str | TensorSpec):
        raise InputError(f"inputs is {shown(str(inputs))} alone; give a list: inputs=[{str(inputs)!r}]")
    return [TensorSpec.parse(spec) if isinstance(spec, str) else spec for spec in inputs]


def _eval_copy(module: nn.Module) -> nn.Module:
    """Return the module, or a copy of it where a part of it is in train mode: the caller's stays as it is."""
    return copy.deepcopy(module).eval() if any(part.training for part in module.modules()) else module


def _row_sizes(module: nn.Module, example: Example, output_spec: OutputSpec) -> tuple[int, ...]:
    """Return the sizes of a row of what the module returns (1 for ``[batch]``); none if it is no single tensor."""
    call = bind(module, example.inputs)
    with torch.no_grad():
        returned = call(*example.tensors())
    check_returned(returned)
    check_sizes(call, example, returned)
    if not isinstance(returned, torch.Tensor) or returned.ndim == 0:
        return ()
    if output_spec.task != "tensors" and returned.dtype != torch.float32:
        raise InputError(
            f"{argument('task', output_spec.task)} takes a module that returns float32; "
            f"this one returns {returned.dtype}"
        )
    return tuple(returned.shape[1:]) or (1,)


def _batch(inputs: Sequence[TensorSpec], output_spec: OutputSpec) -> str:
    """Return the name of the dimension that counts rows; a known task cannot do without."""
    placeholder = (TensorSpec("output", "float32", ()),)
    batch = batch_name(ModelContract("inputs", "tensors", tuple(inputs), placeholder))
    if batch is None and output_spec.task != "tensors":
        raise InputError(
            f"{argument('task', output_spec.task)} takes rows: name the batch in {inputs[0]}, as float32[batch, ...]"
        )
    return batch or "batch"


def _test_rows(run: Run) -> Arrays | None:
    path, contract = run.path / TEST_TABLE, run.recipe.contract
    if not path.is_file() or not contract.features:
        return None
    table = read_table(str(path))
    if not len(table):
        return None
    read = chunk_inputs(contract, table)
    return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in read.items()}


def _versions() -> dict[str, str | int | None]:
    return {"parity": __version__, "torch": torch.__version__.partition("+")[0]}
