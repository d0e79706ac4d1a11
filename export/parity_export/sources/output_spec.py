"""What the outputs of a user's module mean, and what that makes of its contract."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from parity_export.sources.output_choice import OutputChoice, all_outputs, chosen_outputs
from parity_runtime import Feature, InputError, TensorSpec
from parity_runtime.arguments import argument, check_choice, did_you_mean, either
from parity_runtime.contract import EMBEDDING, TASKS, VALUE, Task, binary_logit_threshold, classifier_outputs
from parity_runtime.printable import counted, shown
from parity_runtime.tasks import decision_outputs

ModuleOutput = Literal["logits", "probabilities"]


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What the outputs of a module mean; the options of ``parity export`` have the same names.

    >>> from parity_export import OutputSpec
    >>> OutputSpec("binary", output="logits", classes=("no", "yes"), threshold=0.3)
    OutputSpec(binary, output='logits', classes=('no', 'yes'), threshold=0.3)

    Attributes:
        task: ``binary``, ``multiclass``, ``multilabel`` (a row may have several classes), ``tagging`` (a class for each
            position of a sequence), ``embedding`` (a vector for each row), ``language_model`` (logits of the next token
            at each position), ``regression``, or ``tensors``: the module's own outputs without a meaning.
        output: for a classifier or a tagger: ``logits`` or ``probabilities``, whichever it returns. If it returns
            several tensors by name, this also chooses the tensor: ``logits`` is the one of that name, and
            ``scores=logits`` is the one called scores. For other tasks: the name of the output to keep, or a list of
            names; ``scores=points`` keeps scores, and calls it points in the package.
        classes: the labels by index; 0, 1, ... by default.
        positive: two classes: the one whose probability the model predicts. It must be the second.
        threshold: two classes: a row is positive from this probability on; 0.5 by default. Multilabel: a row has a
            label from this probability on; one number for all classes, or a list with one for each.
        features: the names of a table's columns; x1, x2, ... by default.
        targets: the names of the predicted columns of a regression.

    Raises:
        InputError: there is no such task or output, an attribute is not for this task, or a threshold is outside of 0
            to 1.
    """

    task: Task = "tensors"
    output: str | Sequence[str] | None = None
    classes: Sequence[str | int] = ()
    positive: str | int | None = None
    threshold: float | Sequence[float] | None = None
    features: Sequence[str] = ()
    targets: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_belongs(self)
        for threshold in _thresholds(self.threshold):
            if not 0 < threshold < 1:
                raise InputError(f"{argument('threshold')} {threshold} is not strictly between 0 and 1")
        if self.task == "binary" and not isinstance(self.threshold, int | float | None):
            raise InputError(
                f"{argument('threshold')} is one probability for {argument('task', 'binary')}; one for each class is "
                f"for {argument('task', 'multilabel')}"
            )

    def __repr__(self) -> str:
        given = {item.name: getattr(self, item.name) for item in fields(self)[1:]}
        told = [f"{name}={value!r}" for name, value in given.items() if value not in (None, ())]
        return f"OutputSpec({', '.join([self.task, *told])})"


def _check_choices(output_spec: OutputSpec) -> None:
    """Refuse a task or an output that there is not, and a text where a list of names belongs."""
    check_choice("task", output_spec.task, TASKS)
    if decides(output_spec.task):
        _check_meaning(output_spec)
    for name in ("classes", "features", "targets"):
        given = getattr(output_spec, name)
        if isinstance(given, str):
            raise InputError(f"{name} is the text {shown(given)}; give a list of names, such as {[given]!r}")


def decides(task: Task) -> bool:
    """Whether a task decides by logits or probabilities."""
    return task in ("binary", "multiclass", "multilabel", "tagging")


def chosen(output_spec: OutputSpec) -> list[tuple[str, str]]:
    """Return the module's name of each output that was chosen, and what it is called."""
    given = [output_spec.output] if isinstance(output_spec.output, str) else list(output_spec.output or ())
    pairs = [(name, called if equals else name) for name, equals, called in (one.partition("=") for one in given)]
    if not all(name and called for name, called in pairs):
        raise InputError(f"{argument('output')} is written as NAME, or as NAME=OTHER for another name in the package")
    return pairs


def module_output(output_spec: OutputSpec) -> ModuleOutput:
    """Return what the module of a task that decides returns."""
    return "probabilities" if "probabilities" in (called for _, called in chosen(output_spec)) else "logits"


def _check_meaning(output_spec: OutputSpec) -> None:
    """Refuse an output of a task that decides by it, and that is said to be neither logits nor probabilities."""
    pairs = chosen(output_spec)
    if len(pairs) > 1:
        raise InputError(f"{argument('task', output_spec.task)} takes one {argument('output')}, not {len(pairs)}")
    for name, called in pairs:
        if called not in get_args(ModuleOutput):
            known = get_args(ModuleOutput)
            raise InputError(
                f"{argument('output')} is {shown(called)}, not one of {', '.join(map(repr, known))}"
                f"{did_you_mean(called, known)}; what the module calls {shown(name)} is "
                f"{argument('output', f'{name}=logits')}"
            )


def choose_outputs(returned: Any, output_spec: OutputSpec) -> OutputChoice:
    """Return which of the tensors that a module returned are meant.

    Of a task that decides, an output without a name of its own is what it was said to be.

    Raises:
        InputError: the module lacks an output that was chosen, or a task of one output has several to choose from.
    """
    pairs, everything = chosen(output_spec), all_outputs(returned)
    alone = len(everything.known) == 1 and not everything.known[0].name
    if pairs and not (decides(output_spec.task) and alone and pairs[0][0] == pairs[0][1]):
        everything = chosen_outputs(returned, pairs)
    if output_spec.task != "tensors" and len(everything.names) > 1:
        listed = ", ".join(leaf.name for leaf in everything.known)
        meaning = "=logits" if decides(output_spec.task) else ""
        way_out = argument("output", f"{everything.known[0].name}{meaning}")
        raise InputError(
            f"{argument('task', output_spec.task)} takes one tensor, and the module returns {listed}; choose one, as "
            f"{way_out}"
        )
    return everything


def _check_belongs(output_spec: OutputSpec) -> None:
    """Refuse an option that its task has no use for: it would be lost silently."""
    tasks = {
        "classes": ("binary", "multiclass", "multilabel", "tagging"),
        "positive": ("binary",),
        "threshold": ("binary", "multilabel"),
        "targets": ("binary", "multiclass", "regression"),
    }
    for option, allowed in tasks.items():
        if getattr(output_spec, option) not in (None, (), []) and output_spec.task not in allowed:
            listed = " or ".join(filter(None, (", ".join(allowed[:-1]), allowed[-1])))
            raise InputError(f"{argument(option)} is for {argument('task')} {listed}, not {output_spec.task}")


def _thresholds(threshold: float | Sequence[float] | None) -> tuple[float, ...]:
    if threshold is None:
        return ()
    return (threshold,) if isinstance(threshold, int | float) else tuple(threshold)


SHAPES: dict[str, tuple[str, ...]] = {
    "multilabel": ("classes",),
    "tagging": ("time", "classes"),
    "language_model": ("time", "vocabulary"),
    "embedding": ("dimension",),
}
"""The shape of a row that a module returns, by task."""


def task_fields(output_spec: OutputSpec, sizes: Sequence[int], batch: str) -> dict[str, Any]:
    """Return the contract's fields that a task decides: outputs, classes, threshold, targets.

    Args:
        output_spec: checked.
        sizes: of a row that the module returns; none where it returns no single tensor.
        batch: the dimension that counts rows.

    Raises:
        InputError: the meaning contradicts itself or the sizes.
    """
    fields_of_columns = {"binary": _binary_fields, "multiclass": _multiclass_fields, "regression": _regression_fields}
    if output_spec.task == "tensors":
        return {"outputs": (TensorSpec("output", "float32", ()),)}  # replaced by what the graph gives
    if output_spec.task in fields_of_columns:
        width = sizes[0] if len(sizes) == 1 else 0
        return fields_of_columns[output_spec.task](output_spec, width, batch)
    return _fields_of_shape(output_spec, sizes, batch)


def _fields_of_shape(output_spec: OutputSpec, sizes: Sequence[int], batch: str) -> dict[str, Any]:
    _check_sizes(output_spec, sizes)
    if output_spec.task == "embedding":
        return {"outputs": (TensorSpec(EMBEDDING, "float32", (batch, *sizes)),)}
    # The graph says how long a sequence is that it returns.
    outputs = decision_outputs(output_spec.task, (batch, *["time"] * (len(sizes) - 1), sizes[-1]))
    if output_spec.task == "language_model":
        return {"outputs": outputs}
    fields = {"outputs": outputs, "classes": _classes(output_spec, sizes[-1])}
    return fields | (_multilabel_thresholds(output_spec, sizes[-1]) if output_spec.task == "multilabel" else {})


def _check_sizes(output_spec: OutputSpec, sizes: Sequence[int]) -> None:
    """Refuse a module that returns another number of axes than its task has, or a choice among one."""
    task, wanted = output_spec.task, SHAPES[output_spec.task]
    chooses = task in ("tagging", "language_model")
    if len(sizes) != len(wanted) or (chooses and sizes[-1] < 2):
        shape = ", ".join(("batch", *wanted))
        found = ", ".join(("batch", *map(str, sizes)))
        raise InputError(
            f"{argument('task', task)} takes a module that returns [{shape}]; this one returns "
            + (f"[{found}]" if sizes else "something else")
        )


def _multilabel_thresholds(output_spec: OutputSpec, count: int) -> dict[str, Any]:
    given = _thresholds(output_spec.threshold) or (0.5,)
    thresholds = given * count if len(given) == 1 else given
    if len(thresholds) != count:
        raise InputError(
            f"{argument('threshold')} names {counted(len(given), 'threshold')}, but the module has {count} classes; "
            "give one for all, or one for each"
        )
    return {"thresholds": thresholds, "logit_thresholds": tuple(map(binary_logit_threshold, thresholds))}


def _binary_fields(output_spec: OutputSpec, width: int, batch: str) -> dict[str, Any]:
    if width != 1:
        raise InputError(
            f"{argument('task', 'binary')} takes a module that returns [batch, 1] or [batch]; {_returns(width)}"
        )
    classes = _classes(output_spec, 2)
    if output_spec.positive is not None and str(output_spec.positive) != str(classes[1]):
        raise InputError(
            f"{argument('positive', str(output_spec.positive))} is not the second class; the module's output "
            f"speaks of {classes[1]}: write the classes as "
            + either("classes=(negative, positive)", "--classes negative,positive")
        )
    (threshold,) = _thresholds(output_spec.threshold) or (0.5,)
    return {
        "outputs": classifier_outputs(2, batch),
        "classes": classes,
        "positive": classes[1],
        "threshold": threshold,
        "logit_threshold": binary_logit_threshold(threshold),
        "targets": tuple(output_spec.targets),
    }


def _multiclass_fields(output_spec: OutputSpec, width: int, batch: str) -> dict[str, Any]:
    if width < 2:
        raise InputError(
            f"{argument('task', 'multiclass')} takes a module that returns [batch, classes]; {_returns(width)}"
        )
    classes = _classes(output_spec, width)
    if len(classes) == 2:
        outputs = tuple(
            spec if spec.name != "logits" else TensorSpec("logits", "float32", (batch, 2))
            for spec in classifier_outputs(2, batch)
        )
    else:
        outputs = classifier_outputs(width, batch)
    return {"outputs": outputs, "classes": classes, "targets": tuple(output_spec.targets)}


def _regression_fields(output_spec: OutputSpec, width: int, batch: str) -> dict[str, Any]:
    if width < 1:
        raise InputError(
            f"{argument('task', 'regression')} takes a module that returns [batch, targets]; {_returns(width)}"
        )
    targets = tuple(output_spec.targets) or (("value",) if width == 1 else tuple(f"value{i + 1}" for i in range(width)))
    if len(targets) != width:
        raise InputError(f"{argument('targets')} names {counted(len(targets), 'column')}, but {_returns(width)}")
    return {"outputs": (TensorSpec(VALUE, "float32", (batch, width)),), "targets": targets}


def _classes(output_spec: OutputSpec, count: int) -> tuple[Any, ...]:
    if output_spec.output is None:
        raise InputError(
            f"say what the module returns: {argument('output', 'logits')} or {argument('output', 'probabilities')}"
        )
    classes = tuple(output_spec.classes) or tuple(range(count))
    if len(classes) != count:
        raise InputError(f"{argument('classes')} names {counted(len(classes), 'class')}, but the module has {count}")
    return classes


def feature_fields(inputs: Sequence[TensorSpec], output_spec: OutputSpec) -> tuple[Feature, ...]:
    """Return the columns of a table; none where the module takes no table.

    Raises:
        InputError: columns are named for a module that takes no table, or another number of them.
    """
    spec = inputs[0]
    table = len(inputs) == 1 and len(spec.shape) == 2 and isinstance(spec.shape[1], int) and spec.dtype == "float32"
    if not table or (output_spec.task == "tensors" and not output_spec.features):
        if output_spec.features:
            raise InputError(f"{argument('features')} is for one input of the shape float32[batch, number of features]")
        return ()
    names = tuple(output_spec.features) or tuple(f"x{index + 1}" for index in range(int(spec.shape[1])))
    if len(names) != spec.shape[1]:
        raise InputError(f"{argument('features')} names {counted(len(names), 'column')}, but the input is {spec}")
    return tuple(Feature(name, spec.name, index) for index, name in enumerate(names))


def _returns(width: int) -> str:
    return f"this one returns {counted(width, 'column')}" if width else "this one returns something else"
