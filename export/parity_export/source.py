"""What is exported: a torch module with its weights, and what its inputs and outputs mean."""

import copy
import itertools
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from parity_export.batching import rows_first
from parity_runtime import Feature, InputError, ModelContract, TensorSpec, __version__
from parity_runtime.contract import VALUE, Task, batch_name, binary_logit_threshold, classifier_outputs
from parity_runtime.errors import first_line
from parity_runtime.inputs import Arrays, named_inputs
from parity_runtime.tables.features import table_features
from parity_runtime.tables.reading import read_table
from parity_training import Run, apply_state_dict, weights_id
from parity_training.callables import resolve_callable
from parity_training.networks import Network
from parity_training.run import TEST_TABLE
from parity_training.weights import StateDict

ModuleOutput = Literal["logits", "probabilities"]

EXAMPLE_SIZES = (2, 4, 16, 64)
"""Sizes of dynamic dimensions that are tried until the module accepts one (pooling needs a certain width)."""


@dataclass(frozen=True)
class ModelSource:
    """A module to export.

    Attributes:
        module: with its weights, on the CPU, in eval mode.
        contract: what it takes and gives; what an export measures is still empty.
        module_output: classifiers only: what the module itself returns.
        sample: real rows, by input name; None if there are none.
    """

    module: nn.Module
    contract: ModelContract
    module_output: ModuleOutput = "logits"
    sample: Arrays | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the outputs of a foreign module mean; the options of ``parity export``.

    Attributes:
        task: binary, multiclass, regression or tensors.
        output: what a classifier returns: logits or probabilities.
        classes: labels by index; 0, 1, ... by default.
        positive: binary: must be the second class, which the module's output speaks of.
        threshold: binary: the probability from which on a row is positive; 0.5 by default.
        features: column names of a table; x1, x2, ... by default.
        targets: names of the predicted columns.
    """

    task: Task = "tensors"
    output: ModuleOutput | None = None
    classes: Sequence[str | int] = ()
    positive: str | int | None = None
    threshold: float | None = None
    features: Sequence[str] = ()
    targets: Sequence[str] = ()


def source_from_run(run: Run, foreign: Network | None = None) -> ModelSource:
    """Return the source that a run describes, its held-out rows as the sample.

    Args:
        run: a finished one.
        foreign: the callable of a run whose network is none of Parity's; a run names no code.

    Raises:
        InputError: the run has not finished, or its weights do not fit.
        FormatError: its recipe is malformed.
    """
    module = run.module(foreign)
    provenance = {"weights": weights_id(module.state_dict()), "seed": run.recipe.training.get("seed")}
    contract = replace(run.recipe.contract, provenance=provenance | _versions())
    return ModelSource(module, contract, sample=_test_rows(run))


def source_from_module(
    module: nn.Module, inputs: Sequence[TensorSpec], meaning: Meaning, name: str, sample: Arrays | None = None
) -> ModelSource:
    """Return the source of a live module.

    Args:
        module: with its weights; a copy in eval mode is exported.
        inputs: one a positional argument of its ``forward``, in that order.
        meaning: what its outputs mean.
        name: the model's name.
        sample: real rows by input name.

    Raises:
        InputError: the meaning contradicts itself or what the module returns.
    """
    if not inputs:
        raise InputError('say what the module takes: --input "features: float32[batch, 2]", one for each argument')
    module = _eval_copy(module)
    width = _output_width(module, inputs, meaning)
    batch = _batch(inputs, meaning)
    provenance: dict[str, str | int | None] = {"weights": weights_id(module.state_dict())}
    contract = ModelContract(
        name=name,
        task=meaning.task,
        inputs=tuple(inputs),
        features=_features(inputs, meaning),
        provenance=provenance | _versions(),
        **_task_fields(meaning, width, batch),
    )
    return ModelSource(module, contract, meaning.output or "logits", sample)


def load_module(location: str, arguments: Mapping[str, Any], state_dict: StateDict, where: str) -> nn.Module:
    """Build ``package.module:Callable`` with ``arguments`` and load a state_dict into it.

    The folder at hand is searched first, as ``python -m`` does.

    Args:
        location: of a class or factory.
        arguments: its keyword arguments.
        state_dict: exactly the module's tensors.
        where: the weights' file, for errors.

    Raises:
        InputError: it cannot be imported or called, gives no module, or the weights do not fit.
    """
    build = resolve_callable(location)
    try:
        module = build(**arguments)
    except (Exception, SystemExit) as error:  # the user's own code
        raise InputError(f"{location}({_spelled(arguments)}) failed: {first_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{location} gives a {type(module).__name__}, not a torch.nn.Module")
    apply_state_dict(module, state_dict, where)
    return module.cpu().eval()


def load_sample(path: Path, inputs: Sequence[TensorSpec]) -> Arrays:
    """Read real inputs from an .npz of arrays by input name, and return them rows first.

    Raises:
        InputError: the file is missing, is no .npz of plain arrays, or an array does not fit its input.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, MemoryError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read the sample {path}: {error}") from error
    contract = ModelContract("sample", "tensors", tuple(inputs), (TensorSpec("output", "float32", ()),))
    return rows_first(contract, named_inputs(contract, arrays))


def example_inputs(module: nn.Module, inputs: Sequence[TensorSpec]) -> tuple[torch.Tensor, ...]:
    """Return zeros that the module accepts, every dynamic dimension of a size of its own from 2 on.

    torch.export specializes the sizes 0 and 1, and takes equal sizes for equal dimensions.

    Raises:
        InputError: the module accepts none of the sizes that are tried.
    """
    reason = ""
    for base, multiples in itertools.product(EXAMPLE_SIZES, (False, True)):
        example = zeros(inputs, base, multiples=multiples)
        try:
            with torch.no_grad():
                module(*example)
        except Exception as error:  # the user's own code
            reason = reason or first_line(error)
        else:
            return example
    raise InputError(f"the module does not accept {'; '.join(map(str, inputs))}: {reason}")


def zeros(
    inputs: Sequence[TensorSpec], base: int, dimensions: Mapping[str, int] | None = None, *, multiples: bool = False
) -> tuple[torch.Tensor, ...]:
    """Return zeros for each input.

    Args:
        inputs: what the module takes.
        base: the dynamic dimensions get the sizes ``base``, ``base + 1``, ..., or its multiples.
        dimensions: sizes of some of them.
        multiples: whether to take multiples (two poolings of an image want sizes that 4 divides).
    """
    names = dict.fromkeys(size for spec in inputs for size in spec.shape if isinstance(size, str))
    step = base if multiples else 1
    sizes = {name: base + index * step for index, name in enumerate(names)} | dict(dimensions or {})
    shapes = [[sizes[size] if isinstance(size, str) else size for size in spec.shape] for spec in inputs]
    return tuple(
        torch.zeros(shape, dtype=getattr(torch, spec.dtype)) for shape, spec in zip(shapes, inputs, strict=True)
    )


def _eval_copy(module: nn.Module) -> nn.Module:
    """Return the module, or a copy of it where a part of it is in train mode: the caller's stays as it is."""
    return copy.deepcopy(module).eval() if any(part.training for part in module.modules()) else module


def _spelled(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def _output_width(module: nn.Module, inputs: Sequence[TensorSpec], meaning: Meaning) -> int:
    """Return the size of the last axis of what the module returns (1 for ``[batch]``); 0 if it is no such tensor."""
    with torch.no_grad():
        returned = module(*example_inputs(module, inputs))
    for leaf in tree_leaves(returned):
        if leaf is not None and not isinstance(leaf, torch.Tensor):
            raise InputError(f"the module returns {leaf!r}, which is no tensor; a graph gives tensors alone")
    if not isinstance(returned, torch.Tensor) or returned.ndim not in (1, 2):
        return 0
    if meaning.task != "tensors" and returned.dtype != torch.float32:
        raise InputError(
            f"--task {meaning.task} takes a module that returns float32; this one returns {returned.dtype}"
        )
    return 1 if returned.ndim == 1 else returned.shape[1]


def _batch(inputs: Sequence[TensorSpec], meaning: Meaning) -> str:
    """Return the name of the dimension that counts rows; a known task cannot do without."""
    _check_options(meaning)
    placeholder = (TensorSpec("output", "float32", ()),)
    batch = batch_name(ModelContract("inputs", "tensors", tuple(inputs), placeholder))
    if batch is None and meaning.task != "tensors":
        raise InputError(f"--task {meaning.task} takes rows: name the batch in {inputs[0]}, as float32[batch, ...]")
    return batch or "batch"


def _check_options(meaning: Meaning) -> None:
    """Refuse an option that its task has no use for: it would be lost silently."""
    tasks = {
        "output": ("binary", "multiclass"),
        "classes": ("binary", "multiclass"),
        "positive": ("binary",),
        "threshold": ("binary",),
        "targets": ("binary", "multiclass", "regression"),
    }
    for option, allowed in tasks.items():
        if getattr(meaning, option) not in (None, ()) and meaning.task not in allowed:
            raise InputError(f"--{option} goes with --task {' or '.join(allowed)}, not {meaning.task}")


def _task_fields(meaning: Meaning, width: int, batch: str) -> dict[str, Any]:
    match meaning.task:
        case "binary":
            return _binary_fields(meaning, width, batch)
        case "multiclass":
            return _multiclass_fields(meaning, width, batch)
        case "regression":
            return _regression_fields(meaning, width, batch)
    return {"outputs": (TensorSpec("output", "float32", ()),)}  # replaced by what the graph gives


def _binary_fields(meaning: Meaning, width: int, batch: str) -> dict[str, Any]:
    if width != 1:
        raise InputError(f"--task binary takes a module that returns [batch, 1] or [batch]; {_returns(width)}")
    classes = _classes(meaning, 2)
    if meaning.positive is not None and str(meaning.positive) != str(classes[1]):
        raise InputError(
            f"--positive {meaning.positive} is not the second class; the module's output speaks of {classes[1]}: "
            "write the classes as --classes negative,positive"
        )
    threshold = 0.5 if meaning.threshold is None else meaning.threshold
    if not 0 < threshold < 1:
        raise InputError(f"--threshold {threshold} is not strictly between 0 and 1")
    return {
        "outputs": classifier_outputs(2, batch),
        "classes": classes,
        "positive": classes[1],
        "threshold": threshold,
        "logit_threshold": binary_logit_threshold(threshold),
        "targets": tuple(meaning.targets),
    }


def _multiclass_fields(meaning: Meaning, width: int, batch: str) -> dict[str, Any]:
    if width < 2:
        raise InputError(f"--task multiclass takes a module that returns [batch, classes]; {_returns(width)}")
    classes = _classes(meaning, width)
    if len(classes) == 2:
        outputs = tuple(
            spec if spec.name != "logits" else TensorSpec("logits", "float32", (batch, 2))
            for spec in classifier_outputs(2, batch)
        )
    else:
        outputs = classifier_outputs(width, batch)
    return {"outputs": outputs, "classes": classes, "targets": tuple(meaning.targets)}


def _regression_fields(meaning: Meaning, width: int, batch: str) -> dict[str, Any]:
    if width < 1:
        raise InputError(f"--task regression takes a module that returns [batch, targets]; {_returns(width)}")
    targets = tuple(meaning.targets) or (("value",) if width == 1 else tuple(f"value{i + 1}" for i in range(width)))
    if len(targets) != width:
        raise InputError(f"--targets names {len(targets)} columns, but {_returns(width)}")
    return {"outputs": (TensorSpec(VALUE, "float32", (batch, width)),), "targets": targets}


def _classes(meaning: Meaning, count: int) -> tuple[Any, ...]:
    if meaning.output is None:
        raise InputError("say what the module returns: --output logits or --output probabilities")
    classes = tuple(meaning.classes) or tuple(range(count))
    if len(classes) != count:
        raise InputError(f"--classes names {len(classes)} classes, but the module tells {count} apart")
    return classes


def _features(inputs: Sequence[TensorSpec], meaning: Meaning) -> tuple[Feature, ...]:
    spec = inputs[0]
    table = len(inputs) == 1 and len(spec.shape) == 2 and isinstance(spec.shape[1], int) and spec.dtype == "float32"
    if not table or (meaning.task == "tensors" and not meaning.features):
        if meaning.features:
            raise InputError("--features goes with one input of the shape float32[batch, number of features]")
        return ()
    names = tuple(meaning.features) or tuple(f"x{index + 1}" for index in range(int(spec.shape[1])))
    if len(names) != spec.shape[1]:
        raise InputError(f"--features names {len(names)} columns, but the input is {spec}")
    return tuple(Feature(name, spec.name, index) for index, name in enumerate(names))


def _test_rows(run: Run) -> Arrays | None:
    path, contract = run.path / TEST_TABLE, run.recipe.contract
    if not path.is_file() or not contract.features:
        return None
    table = read_table(str(path))
    return {contract.inputs[0].name: table_features(contract, table).astype(np.float32)} if len(table) else None


def _versions() -> dict[str, str | int | None]:
    return {"parity": __version__, "torch": torch.__version__.partition("+")[0]}


def _returns(width: int) -> str:
    return f"this one returns {width} columns" if width else "this one returns something else"
