"""What makes a contract one: names that can be told apart, classes that go with the task, features with a place."""

from collections.abc import Mapping, Sequence
from typing import Any

from parity_runtime.dimension_rule import DimensionRule
from parity_runtime.errors import FormatError, InputError
from parity_runtime.feature import Feature
from parity_runtime.operators import check_operators
from parity_runtime.printable import counted, shown
from parity_runtime.tasks import FEWEST_CLASSES, TASKS, binary_logit_threshold
from parity_runtime.tensor_spec import TensorSpec


def check_names(
    models: Sequence[str], features: Sequence[Feature], targets: Sequence[str], classes: Sequence[Any]
) -> None:
    """Refuse names that could not be told apart, or that would break a line or a column's header.

    Raises:
        FormatError: names the first of them.
    """
    named: dict[str, Sequence[Any]] = {
        "model": models,
        "feature": [feature.name for feature in features],
        "target": targets,
        "class": classes,
    }
    for kind, names in named.items():
        for name in names:
            if isinstance(name, str) and (not name.strip() or not name.isprintable()):
                raise FormatError(f"the {kind} name {shown(name)} is empty or holds characters that do not print")
        if len(set(map(str, names))) != len(names):
            raise FormatError(f"{kind} names repeat: {shown(list(names))}")


def check_dimensions(inputs: Sequence[TensorSpec], dimensions: Mapping[str, str]) -> None:
    """Refuse what is no rule of a dimension, or names one that no input has.

    Raises:
        FormatError: names the rule.
    """
    names = {size for spec in inputs for size in spec.shape if isinstance(size, str)}
    for name, text in dimensions.items():
        try:
            rule = DimensionRule.parse(f"{name} {text}")
        except InputError as error:
            raise FormatError(f"dimensions: {error}") from error
        unknown = {rule.name, *(other for other, _ in rule.terms)} - names
        if rule.name != name or unknown:
            raise FormatError(f"dimensions: {shown(f'{name} {text}')} names a dimension that no input has")


def check_classes(task: str, classes: Sequence[Any]) -> None:
    """Refuse a task that there is not, and classes that do not go with it.

    Raises:
        FormatError: says what there is, or how many it takes.
    """
    if task not in TASKS:
        raise FormatError(f"unknown task {shown(task)}; known are {', '.join(TASKS)}")
    kinds = {type(label) for label in classes}
    if len(kinds) > 1 or not kinds <= {str, int}:
        raise FormatError(f"classes must be all text or all integers, found {shown(list(classes))}")
    fewest = 0 if task == "binary" else FEWEST_CLASSES.get(task, 0)
    if task == "binary" and len(classes) != 2:
        raise FormatError(f"the task binary needs two classes, found {shown(list(classes))}")
    if len(classes) < fewest:
        raise FormatError(f"the task {task} needs at least {counted(fewest, 'class')}, found {shown(list(classes))}")
    if task not in FEWEST_CLASSES and classes:
        raise FormatError(f"the task {task} has no classes, found {shown(list(classes))}")


def check_binary(
    classes: Sequence[Any], positive: str | int | None, threshold: float | None, logit_threshold: float | None
) -> None:
    """Refuse a positive class that is not the second one, and thresholds that say two things.

    Raises:
        FormatError: says what does not agree.
    """
    if positive != classes[1]:
        raise FormatError(f"positive is {shown(positive)}, but the second class is {shown(classes[1])}")
    if threshold is None or logit_threshold is None:
        raise FormatError("the task binary needs threshold and logit_threshold")
    if logit_threshold != binary_logit_threshold(threshold):
        raise FormatError(
            f"logit_threshold is {shown(logit_threshold)}, but the float32 logit of threshold "
            f"{shown(threshold)} is {shown(binary_logit_threshold(threshold))}"
        )


def check_allowable(operators: Sequence[str]) -> None:
    """Refuse operators that nobody may allow.

    Raises:
        FormatError: names the first of them.
    """
    try:
        check_operators(operators)
    except InputError as error:
        raise FormatError(f"operators: {error}") from error


def check_features(inputs: Sequence[TensorSpec], features: Sequence[Feature]) -> None:
    """Refuse features that have no column of an input, share one, or are of another type than it.

    Raises:
        FormatError: names the first of them.
    """
    specs = {spec.name: spec for spec in inputs}
    places = [(feature.input, feature.index) for feature in features]
    if len(set(places)) != len(places):
        raise FormatError("two features have the same column")
    dated = {feature.input for feature in features if feature.kind == "datetime"}
    for feature in features:
        spec = specs.get(feature.input)
        width = None if spec is None or not spec.shape else spec.shape[-1]
        if feature.range is not None and not feature.range[0] <= feature.range[1]:
            raise FormatError(f"feature {shown(feature.name)} has low {feature.low} above high {feature.high}")
        if spec is None or not isinstance(width, int) or not 0 <= feature.index < width:
            raise FormatError(
                f"feature {shown(feature.name)} is column {feature.index} of input {shown(feature.input)}, "
                "which has no such column"
            )
        if not _goes_with(feature, spec, dated=feature.input in dated):
            raise FormatError(
                f"feature {shown(feature.name)} is {feature.kind} and in the input {shown(feature.input)}, which is "
                f"{spec.dtype}"
            )


def _goes_with(feature: Feature, spec: TensorSpec, *, dated: bool) -> bool:
    if feature.is_text:
        return spec.dtype == "string"
    if feature.kind == "datetime":
        return spec.dtype == "int64"
    return spec.dtype != "string" and not dated
