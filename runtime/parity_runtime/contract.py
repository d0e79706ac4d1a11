"""What a model takes and gives, and what its numbers mean: the contract that every layer shares."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from parity_runtime.dimension_rule import DimensionRule, parsed_rules
from parity_runtime.errors import FormatError, InputError
from parity_runtime.feature import COLUMN_KINDS, Feature
from parity_runtime.files.json_file import FORMAT, check_format, finite_number
from parity_runtime.printable import counted, shown
from parity_runtime.tasks import (
    CERTIFIABLE,
    CERTIFIED,
    DECISIONS,
    EMBEDDING,
    ERROR_BOUND,
    FEWEST_CLASSES,
    LABEL,
    LABELS,
    LOGITS,
    PROBABILITIES,
    TAGS,
    TASKS,
    TOKENS,
    VALUE,
    Task,
    binary_logit_threshold,
    check_outputs,
    check_thresholds,
    classifier_outputs,
)
from parity_runtime.tensor_spec import TensorSpec
from parity_runtime.tolerance import Tolerance

__all__ = [
    "CERTIFIED",
    "EMBEDDING",
    "ERROR_BOUND",
    "LABEL",
    "LABELS",
    "LOGITS",
    "METADATA_KEY",
    "PROBABILITIES",
    "TAGS",
    "TASKS",
    "TOKENS",
    "VALUE",
    "ModelContract",
    "Task",
    "added_columns",
    "batch_name",
    "binary_logit_threshold",
    "certified_contract",
    "classifier_outputs",
    "is_encoded",
    "label_count",
]

METADATA_KEY = "parity.contract"
"""The key of an ONNX file's ``metadata_props`` under which the contract travels inside the model."""

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class ModelContract:
    """Everything that an application must know about a model; frozen, and the same in JSON.

    >>> from parity_runtime import Package
    >>> contract = Package.open("tests/data/species").contract
    >>> contract
    ModelContract('species', multiclass, 4 features, 3 classes)
    >>> contract.classes
    ('setosa', 'versicolor', 'virginica')
    >>> str(contract.inputs[0])
    'features: float32[batch, 4]'

    Attributes:
        name: the model's name.
        task: what its outputs mean (`TASKS`).
        inputs: the graph's inputs, in order.
        outputs: the graph's outputs, in order.
        features: the columns, for a model over a table, in the table's order; empty otherwise.
        targets: the names of the predicted columns (regression: one per column of ``value``).
        classes: the labels by index, all text or all integers; empty unless a classifier or a tagger.
        positive: binary only: the class whose probability the logit expresses, ``classes[1]``.
        threshold: binary only: the probability from which on a row is positive.
        logit_threshold: binary only: the float32 constant in the graph; a row is positive iff
            ``logit >= logit_threshold``.
        thresholds: multilabel only: the probability of each class from which on a row has its label.
        logit_thresholds: multilabel only: the float32 constants in the graph, one for each class.
        unit_norm: embedding only: whether the vectors have the length 1; None until measured.
        row_independent: whether rows of one batch do not influence one another; None until measured.
        graphs: file names by kind: ``default``, and ``certified`` where there is one.
        tolerance: by output name; empty until measured.
        min_onnxruntime: the oldest onnxruntime that knows the graph's opset and IR version.
        provenance: where the model is from: weights' id, versions, seed; text or integers.
        missing_values: the cells of a table that are missing beside the empty one, where training was told so; None
            for `parity_runtime.tables.cell_values.MISSING_TOKENS`.
        dimensions: by dynamic dimension, what was said of its size, as `parity_runtime.dimension_rule` reads it:
            ``{"time": "in 1..512", "total": "= past + time"}``.
    """

    name: str
    task: Task
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    features: tuple[Feature, ...] = ()
    targets: tuple[str, ...] = ()
    classes: tuple[str, ...] | tuple[int, ...] = ()
    positive: str | int | None = None
    threshold: float | None = None
    logit_threshold: float | None = None
    row_independent: bool | None = None
    graphs: Mapping[str, str] = field(default_factory=dict)
    tolerance: Mapping[str, Tolerance] = field(default_factory=dict)
    min_onnxruntime: str | None = None
    provenance: Mapping[str, str | int | None] = field(default_factory=dict)
    missing_values: tuple[str, ...] | None = None
    dimensions: Mapping[str, str] = field(default_factory=dict)
    thresholds: tuple[float, ...] = ()
    logit_thresholds: tuple[float, ...] = ()
    unit_norm: bool | None = None

    def __post_init__(self) -> None:
        _check_names(self)
        _check_dimensions(self)
        _check_task(self)
        _check_features(self)

    @property
    def is_classifier(self) -> bool:
        """Whether a row has one class of several: the graph gives ``label``, ``probabilities`` and ``logits``."""
        return self.task in ("binary", "multiclass")

    @property
    def decision(self) -> str | None:
        """The output that the logits decide: ``label``, ``labels``, ``tags`` or ``tokens``; None of another task."""
        return DECISIONS.get(self.task)

    @property
    def bounded(self) -> str:
        """The output whose rounding error a certified graph bounds."""
        return LOGITS if self.is_classifier else VALUE

    @property
    def brief(self) -> str:
        """The task and what it takes, in a few words: ``binary, 3 features (2 numeric, 1 categorical)``."""
        given = counted(len(self.features), "feature") if self.features else counted(len(self.inputs), "input")
        counts = Counter(feature.kind for feature in self.features)
        kinds = ", ".join(f"{counts[kind]} {kind}" for kind in COLUMN_KINDS if counts[kind])
        return f"{self.task}, {given}" + (f" ({kinds})" if {*counts} - {"numeric"} else "")

    def __repr__(self) -> str:
        returned = counted(len(self.outputs), "output")
        if self.classes:
            returned = counted(len(self.classes), "class")
        elif self.task == "regression":
            returned = counted(len(self.targets), "target")
        return f"ModelContract({self.name!r}, {self.brief}, {returned})"

    @property
    def dimension_rules(self) -> tuple[DimensionRule, ...]:
        """What was said of the dynamic dimensions' sizes."""
        return parsed_rules(tuple(f"{name} {text}" for name, text in self.dimensions.items()))

    def output(self, name: str) -> TensorSpec:
        """Return an output by its name."""
        return next(spec for spec in self.outputs if spec.name == name)

    @property
    def columns(self) -> list[Feature]:
        """The features in the graph's order: input by input, and in each by their index."""
        return [feature for spec in self.inputs for feature in self.features_of(spec.name)]

    @property
    def row_features(self) -> list[Feature]:
        """The features in the order of a row without names: the table's where there are several inputs."""
        return self.columns if len(self.inputs) == 1 else list(self.features)

    def features_of(self, name: str) -> list[Feature]:
        """Return the features that an input takes, in the order of its last axis; none of an input of no table."""
        return sorted((one for one in self.features if one.input == name), key=lambda feature: feature.index)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with its format."""
        told: dict[str, Any] = {"dimensions": dict(self.dimensions)} if self.dimensions else {}
        if self.missing_values is not None:
            told["missing_values"] = list(self.missing_values)
        if self.task == "multilabel":
            told |= {"thresholds": list(self.thresholds), "logit_thresholds": list(self.logit_thresholds)}
        if self.task == "embedding":
            told["unit_norm"] = self.unit_norm
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
            "features": [feature.to_json() for feature in self.features],
            "targets": list(self.targets),
            "classes": list(self.classes),
            "positive": self.positive,
            "threshold": self.threshold,
            "logit_threshold": self.logit_threshold,
            "row_independent": self.row_independent,
            "graphs": dict(self.graphs),
            "tolerance": {name: tolerance.to_json() for name, tolerance in self.tolerance.items()},
            "min_onnxruntime": self.min_onnxruntime,
            "provenance": dict(self.provenance),
            **told,
        }

    @classmethod
    def from_json(cls, value: Any, where: str = "the contract") -> Self:
        """Read the JSON form; unknown keys are ignored, a newer format is refused (parity/1 has the same keys).

        Raises:
            FormatError: a key is missing, of another type, or contradicts another.
        """
        if not isinstance(value, dict):
            raise FormatError(f"{where} is not a JSON object")
        check_format(value, where)
        try:
            return cls(
                name=_one_of(value, "name", str),
                task=_one_of(value, "task", str),
                inputs=tuple(TensorSpec.from_json(item) for item in _one_of(value, "inputs", list)),
                outputs=tuple(TensorSpec.from_json(item) for item in _one_of(value, "outputs", list)),
                features=tuple(Feature.from_json(item) for item in _one_of(value, "features", list)),
                targets=_names(value, "targets"),
                classes=tuple(_one_of(value, "classes", list)),
                positive=_one_of(value, "positive", str, int, type(None)),
                threshold=_one_of(value, "threshold", float, int, type(None)),
                logit_threshold=_one_of(value, "logit_threshold", float, int, type(None)),
                row_independent=_one_of(value, "row_independent", bool, type(None)),
                graphs=_texts(value, "graphs"),
                tolerance={name: Tolerance.from_json(item) for name, item in _one_of(value, "tolerance", dict).items()},
                min_onnxruntime=_one_of(value, "min_onnxruntime", str, type(None)),
                provenance=_one_of(value, "provenance", dict),
                missing_values=None if value.get("missing_values") is None else _names(value, "missing_values"),
                dimensions=_texts(value, "dimensions") if "dimensions" in value else {},
                thresholds=_numbers(value, "thresholds"),
                logit_thresholds=_numbers(value, "logit_thresholds"),
                unit_norm=_one_of(value, "unit_norm", bool, type(None)),
            )
        except FormatError as error:
            raise FormatError(f"{where}: {error}") from error


def certified_contract(contract: ModelContract) -> ModelContract:
    """Return the contract of the certified graph: it also gives ``error_bound``, and for a classifier ``certified``.

    Raises:
        FormatError: no error bounds are derived for the model's task.
    """
    if contract.task not in CERTIFIABLE:
        raise FormatError(f"{contract.name} has the task {contract.task}, whose graphs are not certified")
    answer = contract.output(contract.bounded)
    added = [replace(answer, name=ERROR_BOUND)]
    if contract.is_classifier:
        added.append(TensorSpec(CERTIFIED, "bool", answer.shape[:1]))
    return replace(contract, outputs=(*contract.outputs, *added))


def is_encoded(contract: ModelContract) -> bool:
    """Whether the graph has an encoder: some column is text or a timestamp."""
    return any(feature.is_text or feature.kind == "datetime" for feature in contract.features)


def batch_name(contract: ModelContract) -> str | None:
    """Return the dynamic dimension that counts rows: ``batch``, else the first input's first one; None if fixed.

    A dimension that an input's domain or another dimension's size speaks of, as the nodes of a graph that edges point
    at, counts no rows: they hang together.
    """
    return row_dimension(contract.inputs, contract.dimensions)


def row_dimension(inputs: Sequence[TensorSpec], dimensions: Mapping[str, str]) -> str | None:
    """Return the dynamic dimension of inputs that counts rows, as `batch_name` does.

    Args:
        inputs: of a model.
        dimensions: what was said of the dimensions, by name.
    """
    names = {size for spec in inputs for size in spec.shape if isinstance(size, str)}
    if "batch" in names:
        return "batch"
    first = inputs[0].shape[:1]
    if not first or not isinstance(first[0], str):
        return None
    said = [*(spec.domain for spec in inputs), *dimensions.values()]
    spoken_of = first[0] in dimensions or any(first[0] in _WORD.findall(text) for text in said)
    return None if spoken_of else first[0]


def _check_names(contract: ModelContract) -> None:
    """Refuse names that could not be told apart, or that would break a line or a column's header."""
    named: dict[str, list[Any]] = {
        "model": [contract.name],
        "feature": [feature.name for feature in contract.features],
        "target": list(contract.targets),
        "class": list(contract.classes),
    }
    for kind, names in named.items():
        for name in names:
            if isinstance(name, str) and (not name.strip() or not name.isprintable()):
                raise FormatError(f"the {kind} name {shown(name)} is empty or holds characters that do not print")
        if len(set(map(str, names))) != len(names):
            raise FormatError(f"{kind} names repeat: {shown(names)}")
    clash = set(named["feature"]) & set(added_columns(contract))
    if clash:
        raise FormatError(f"a feature is called {shown(min(clash))}, as a column that predictions add; rename it")


def added_columns(contract: ModelContract) -> list[str]:
    """Return the names of the columns that predictions add to a table; none where the answers are no columns."""
    probabilities = [f"probability_{label}" for label in contract.classes]
    if contract.is_classifier:
        return [LABEL, *probabilities]
    if contract.task == "multilabel":
        return [*(f"label_{label}" for label in contract.classes), *probabilities]
    if contract.task == "embedding":
        return [f"{EMBEDDING}_{index + 1}" for index in range(_width(contract, EMBEDDING))]
    return list(contract.targets) if contract.task == "regression" else []


def label_count(contract: ModelContract) -> int:
    """Return how many labels a model chooses among: its classes, or the vocabulary of a language model."""
    return _width(contract, LOGITS) if contract.task == "language_model" else len(contract.classes)


def _width(contract: ModelContract, output: str) -> int:
    """Return the last size of an output, which a number in a contract says; 0 where it does not."""
    size = next((spec.shape[-1] for spec in contract.outputs if spec.name == output and spec.shape), 0)
    return size if isinstance(size, int) else 0


def _check_dimensions(contract: ModelContract) -> None:
    """Refuse what is no rule of a dimension, or names one that no input has."""
    names = {size for spec in contract.inputs for size in spec.shape if isinstance(size, str)}
    for name, text in contract.dimensions.items():
        try:
            rule = DimensionRule.parse(f"{name} {text}")
        except InputError as error:
            raise FormatError(f"dimensions: {error}") from error
        unknown = {rule.name, *(other for other, _ in rule.terms)} - names
        if rule.name != name or unknown:
            raise FormatError(f"dimensions: {shown(f'{name} {text}')} names a dimension that no input has")


def _check_task(contract: ModelContract) -> None:
    task, classes = contract.task, contract.classes
    if task not in TASKS:
        raise FormatError(f"unknown task {shown(task)}; known are {', '.join(TASKS)}")
    if not contract.inputs or not contract.outputs:
        raise FormatError("a model has at least one input and one output")
    kinds = {type(label) for label in classes}
    if len(kinds) > 1 or not kinds <= {str, int}:
        raise FormatError(f"classes must be all text or all integers, found {shown(list(classes))}")
    if task == "binary":
        _check_binary(contract)
    fewest = FEWEST_CLASSES.get(task, 0)
    if len(classes) < fewest:
        raise FormatError(f"the task {task} needs at least {counted(fewest, 'class')}, found {shown(list(classes))}")
    check_thresholds(task, contract.thresholds, contract.logit_thresholds, len(classes))
    check_outputs(task, contract.outputs, len(classes), len(contract.targets))
    if not fewest and classes:
        raise FormatError(f"the task {task} has no classes, found {shown(list(classes))}")


def _check_binary(contract: ModelContract) -> None:
    if len(contract.classes) != 2:
        raise FormatError(f"the task binary needs two classes, found {shown(list(contract.classes))}")
    if contract.positive != contract.classes[1]:
        raise FormatError(
            f"positive is {shown(contract.positive)}, but the second class is {shown(contract.classes[1])}"
        )
    if contract.threshold is None or contract.logit_threshold is None:
        raise FormatError("the task binary needs threshold and logit_threshold")
    if contract.logit_threshold != binary_logit_threshold(contract.threshold):
        raise FormatError(
            f"logit_threshold is {shown(contract.logit_threshold)}, but the float32 logit of threshold "
            f"{shown(contract.threshold)} is {shown(binary_logit_threshold(contract.threshold))}"
        )


def _check_features(contract: ModelContract) -> None:
    shapes = {spec.name: spec.shape for spec in contract.inputs}
    dtypes = {spec.name: spec.dtype for spec in contract.inputs}
    places = [(feature.input, feature.index) for feature in contract.features]
    if len(set(places)) != len(places):
        raise FormatError("two features stand in the same column")
    dated = {feature.input for feature in contract.features if feature.kind == "datetime"}
    for feature in contract.features:
        width = (shapes.get(feature.input) or (None,))[-1]
        if feature.range is not None and not feature.range[0] <= feature.range[1]:
            raise FormatError(f"feature {shown(feature.name)} has low {feature.low} above high {feature.high}")
        if not isinstance(width, int) or not 0 <= feature.index < width:
            raise FormatError(
                f"feature {shown(feature.name)} is column {feature.index} of input {shown(feature.input)}, "
                "which has no such column"
            )
        dtype = "string" if feature.is_text else "int64" if feature.kind == "datetime" else None
        if (dtype is None and (dtypes[feature.input] == "string" or feature.input in dated)) or dtype not in (
            None,
            dtypes[feature.input],
        ):
            raise FormatError(
                f"feature {shown(feature.name)} is {feature.kind} and in the input {shown(feature.input)}, which is "
                f"{dtypes[feature.input]}"
            )


def _one_of(value: dict[str, Any], key: str, *kinds: type) -> Any:
    found = value.get(key)
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise FormatError(f"{shown(key)} is {shown(found)}, not {' or '.join(kind.__name__ for kind in kinds)}")
    numeric = float in kinds and found is not None
    return finite_number(found, repr(key)) if numeric else found


def _names(value: dict[str, Any], key: str) -> tuple[str, ...]:
    found: list[Any] = _one_of(value, key, list)
    if not all(isinstance(item, str) for item in found):
        raise FormatError(f"{shown(key)} holds something that is not text: {shown(found)}")
    return tuple(found)


def _numbers(value: dict[str, Any], key: str) -> tuple[float, ...]:
    """Return a list of numbers; none where there is no such key."""
    found: list[Any] = [] if value.get(key) is None else _one_of(value, key, list)
    return tuple(finite_number(item, repr(key)) for item in found)


def _texts(value: dict[str, Any], key: str) -> dict[str, str]:
    found: dict[str, Any] = _one_of(value, key, dict)
    if not all(isinstance(item, str) for item in found.values()):
        raise FormatError(f"{shown(key)} holds something that is not text: {shown(found)}")
    return found
