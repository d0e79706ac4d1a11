"""The tasks: what the outputs of a graph mean, which there are, and which of them is decided by the logits."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from parity_runtime.errors import FormatError
from parity_runtime.printable import shown
from parity_runtime.tensor_spec import TensorSpec

Task = Literal[
    "binary", "multiclass", "multilabel", "tagging", "embedding", "language_model", "regression", "tensors"
]  # fmt: skip
TASKS: tuple[Task, ...] = get_args(Task)

LABEL, PROBABILITIES, LOGITS, VALUE = "label", "probabilities", "logits", "value"
"""The outputs of a graph whose task is known (the first two are sklearn-onnx's names)."""

LABELS, TAGS, TOKENS, EMBEDDING = "labels", "tags", "tokens", "embedding"
"""The outputs of a multilabel classifier, a tagger, a language model and an encoder."""

ERROR_BOUND, CERTIFIED = "error_bound", "certified"
"""The outputs that a certified graph adds."""

DECISIONS: Mapping[str, str] = MappingProxyType(
    {"binary": LABEL, "multiclass": LABEL, "multilabel": LABELS, "tagging": TAGS, "language_model": TOKENS}
)
"""The output that the logits decide, by task: by a threshold, or by which of them is largest."""

CERTIFIABLE: tuple[Task, ...] = ("binary", "multiclass", "regression")
"""The tasks whose graphs can carry error bounds."""

FEWEST_CLASSES: Mapping[str, int] = MappingProxyType({"binary": 2, "multiclass": 2, "multilabel": 1, "tagging": 2})
"""How many classes a task has at least; the other tasks have none."""

_ANY = -1  # a size that the task does not say
_Wanted = tuple[str, tuple[int | str, ...]]  # a dtype, and the shape of a row


def binary_logit_threshold(threshold: float) -> float:
    """Return the float32 logit from which on a row is positive: ``log(p / (1 - p))`` rounded to float32.

    Args:
        threshold: a probability strictly between 0 and 1.

    Raises:
        FormatError: the probability is 0, 1 or outside.
    """
    if not 0 < threshold < 1:
        raise FormatError(f"the threshold {threshold} is not strictly between 0 and 1")
    return float(np.float32(math.log(threshold) - math.log1p(-threshold)))


def classifier_outputs(num_classes: int, batch: int | str = "batch") -> tuple[TensorSpec, ...]:
    """Return the outputs of a classifier: ``label``, ``probabilities``, ``logits`` (one logit for two classes)."""
    num_logits = 1 if num_classes == 2 else num_classes
    return (
        TensorSpec(LABEL, "int64", (batch,)),
        TensorSpec(PROBABILITIES, "float32", (batch, num_classes)),
        TensorSpec(LOGITS, "float32", (batch, num_logits)),
    )


def decision_outputs(task: Task, shape: Sequence[int | str]) -> tuple[TensorSpec, ...]:
    """Return the outputs of a multilabel classifier, a tagger or a language model.

    Args:
        task: one of these.
        shape: of the logits: ``[batch, classes]``, ``[batch, time, classes]`` or ``[batch, time, vocabulary]``.
    """
    logits = TensorSpec(LOGITS, "float32", tuple(shape))
    if task == "language_model":
        return TensorSpec(TOKENS, "int64", tuple(shape[:-1])), logits
    decided = (
        TensorSpec(LABELS, "bool", tuple(shape))
        if task == "multilabel"
        else TensorSpec(TAGS, "int64", tuple(shape[:-1]))
    )
    return decided, TensorSpec(PROBABILITIES, "float32", tuple(shape)), logits


def no_certified_graph(what: object, task: Task) -> str:
    """Return why a model, or its folder, has no certified graph: the way to one, or its task."""
    if task in CERTIFIABLE:
        return f"{what} has no certified graph; export it with parity export ... --certified"
    return f"{what} has no certified graph: no error bounds are derived for the task {task}"


def check_outputs(task: Task, outputs: Sequence[TensorSpec], num_classes: int, num_targets: int) -> None:
    """Refuse outputs that are not what their task says, but for the sizes that it leaves open.

    Raises:
        FormatError: names the first output that is another one or not there.
    """
    found = {spec.name: spec for spec in outputs}
    logits = found[LOGITS].shape if LOGITS in found else ()
    for name, (dtype, row) in _wanted(task, logits, num_classes, num_targets).items():
        spec = found.get(name)
        sizes = () if spec is None else spec.shape[1:]
        fits = len(sizes) == len(row) and all(size in (_ANY, own) for size, own in zip(row, sizes, strict=True))
        if spec is None or spec.dtype != dtype or not spec.shape or not fits:
            of_row = ", ".join(["batch", *("any size" if size == _ANY else str(size) for size in row)])
            raise FormatError(f"the task {task} gives {name}: {dtype}[{of_row}], found {spec or 'none'}")


def _wanted(task: Task, logits: tuple[int | str, ...], classes: int, targets: int) -> dict[str, _Wanted]:
    """Return the dtype and the shape of a row of each output, from the shape of the logits where that is open."""
    time = logits[1] if len(logits) == 3 else _ANY
    width = 1 if logits[-1:] == (1,) and classes == 2 else classes  # one logit may stand for two classes
    wanted: dict[str, dict[str, _Wanted]] = {
        "classifier": {
            LABEL: ("int64", ()), PROBABILITIES: ("float32", (classes,)), LOGITS: ("float32", (width,))
        },
        "multilabel": {
            LABELS: ("bool", (classes,)), PROBABILITIES: ("float32", (classes,)), LOGITS: ("float32", (classes,))
        },
        "tagging": {
            TAGS: ("int64", (time,)), PROBABILITIES: ("float32", (time, classes)), LOGITS: ("float32", (time, classes))
        },
        "language_model": {TOKENS: ("int64", (time,)), LOGITS: ("float32", (time, _ANY))},
        "embedding": {EMBEDDING: ("float32", (_ANY,))},
        "regression": {VALUE: ("float32", (targets,))},
        "tensors": {},
    }  # fmt: skip
    return wanted["classifier" if task in ("binary", "multiclass") else task]


def check_thresholds(task: Task, thresholds: Sequence[float], logit_thresholds: Sequence[float], count: int) -> None:
    """Refuse thresholds of classes that do not go with their task, their number or their logits.

    Raises:
        FormatError: says which.
    """
    if task != "multilabel":
        if thresholds or logit_thresholds:
            raise FormatError(f"thresholds are for the task multilabel, not {task}")
        return
    if len(thresholds) != count or len(logit_thresholds) != count:
        raise FormatError(
            f"the task multilabel needs thresholds and logit_thresholds, one for each of {count} classes; found "
            f"{len(thresholds)} and {len(logit_thresholds)}"
        )
    for threshold, logit in zip(thresholds, logit_thresholds, strict=True):
        if logit != binary_logit_threshold(threshold):
            raise FormatError(
                f"logit_thresholds holds {shown(logit)}, but the float32 logit of the threshold {shown(threshold)} is "
                f"{shown(binary_logit_threshold(threshold))}"
            )
