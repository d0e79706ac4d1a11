"""What a model takes and gives, and what its numbers mean: the contract that every layer shares."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from parity_runtime.contract_checks import (
    check_allowable,
    check_binary,
    check_classes,
    check_dimensions,
    check_features,
    check_names,
)
from parity_runtime.dimension_rule import DimensionRule, parsed_rules
from parity_runtime.errors import FormatError, InputError
from parity_runtime.feature import COLUMN_KINDS, Feature
from parity_runtime.files.json_file import FORMAT, check_format
from parity_runtime.json_fields import names, numbers, one_of, texts
from parity_runtime.objective import check_objective
from parity_runtime.printable import counted, shown
from parity_runtime.tasks import (
    CERTIFIABLE,
    CERTIFIED,
    DECISIONS,
    EMBEDDING,
    ERROR_BOUND,
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
    """Everything that an application must know about a model. It is immutable, and the same in JSON.

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
        task: what its outputs mean.
        inputs: the graph's inputs, in order.
        outputs: the graph's outputs, in order.
        features: the columns, for a model over a table, in the table's order; empty otherwise.
        targets: the names of the predicted columns (regression: one per column of ``value``).
        classes: the labels by index, all text or all integers; empty if the model is neither a classifier nor a tagger.
        positive: binary only: the class whose probability the model predicts, ``classes[1]``.
        threshold: binary only: a row is positive from this probability on.
        logit_threshold: binary only: the float32 constant in the graph; a row is positive if and only if
            ``logit >= logit_threshold``.
        thresholds: multilabel only: for each class, the probability from which on a row has its label.
        logit_thresholds: multilabel only: the float32 constants in the graph, one for each class.
        unit_norm: embedding only: whether the vectors have the length 1; None before the export has measured it.
        objective: regression only: which figure of the target's distribution the model predicts: ``median``, ``huber``,
            ``poisson`` or ``quantile 0.9``; None for the mean.
        row_independent: True if rows of one batch do not influence one another; None before the export has measured it.
        graphs: file names by kind: ``default``, and ``certified`` if there is a certified graph.
        tolerance: the tolerance of each output, by its name; empty before the export has measured it.
        min_onnxruntime: the oldest onnxruntime that knows the graph's opset and IR version.
        provenance: where the model is from: weights id, versions, seed; text or integers.
        missing_values: the cells of a table that count as missing besides the empty cell, if they were set in training;
            None for the default words, such as NA and NaN.
        dimensions: rules for the sizes of dynamic dimensions, by the dimension's name, such as
            ``{"time": "in 1..512", "total": "= past + time"}``.
        operators: the operators outside the ONNX standard that the graph uses, such as ``com.microsoft::Gelu``. Whoever
            loads the graph must allow each of them.
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
    objective: str | None = None
    operators: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names([self.name], self.features, self.targets, self.classes)
        clash = {feature.name for feature in self.features} & set(added_columns(self))
        if clash:
            raise FormatError(
                f"a feature is called {shown(min(clash))}, the name of a column that predictions add; rename it"
            )
        check_dimensions(self.inputs, self.dimensions)
        check_classes(self.task, self.classes)
        if not self.inputs or not self.outputs:
            raise FormatError("a model has at least one input and one output")
        if self.task == "binary":
            check_binary(self.classes, self.positive, self.threshold, self.logit_threshold)
        check_thresholds(self.task, self.thresholds, self.logit_thresholds, len(self.classes))
        check_outputs(self.task, self.outputs, len(self.classes), len(self.targets))
        check_objective(self.objective, self.task)
        check_features(self.inputs, self.features)
        check_allowable(self.operators)

    @property
    def is_classifier(self) -> bool:
        """Whether each row has one of several classes. The graph returns ``label``, ``probabilities``, ``logits``."""
        return self.task in ("binary", "multiclass")

    @property
    def decision(self) -> str | None:
        """The output that holds the decision: ``label``, ``labels``, ``tags`` or ``tokens``; None for other tasks."""
        return DECISIONS.get(self.task)

    @property
    def bounded(self) -> str:
        """The output whose rounding error a certified graph bounds."""
        return LOGITS if self.is_classifier else VALUE

    @property
    def brief(self) -> str:
        """The task and the model's inputs, in a few words: ``binary, 3 features (2 numeric, 1 categorical)``."""
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
        """The rules for the sizes of dynamic dimensions, which `dimensions` holds as text."""
        return parsed_rules(tuple(f"{name} {text}" for name, text in self.dimensions.items()))

    def output(self, name: str) -> TensorSpec:
        """Return an output by its name.

        Args:
            name: the output's name.

        Raises:
            InputError: the model has no such output.
        """
        for spec in self.outputs:
            if spec.name == name:
                return spec
        known = ", ".join(spec.name for spec in self.outputs)
        raise InputError(f"{self.name} has no output {shown(name)}; it has {known}")

    @property
    def columns(self) -> list[Feature]:
        """The features in the order of the graph's inputs, and within an input by their index."""
        return [feature for spec in self.inputs for feature in self.features_of(spec.name)]

    @property
    def row_features(self) -> list[Feature]:
        """The features in the order of the cells of a row without names: the table's order with several inputs."""
        return self.columns if len(self.inputs) == 1 else list(self.features)

    def features_of(self, name: str) -> list[Feature]:
        """Return the features of one input, in the order of its last axis; empty if the input takes no table columns.

        Args:
            name: the input's name.
        """
        return sorted((one for one in self.features if one.input == name), key=lambda feature: feature.index)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, with the key ``format``."""
        told: dict[str, Any] = {"dimensions": dict(self.dimensions)} if self.dimensions else {}
        if self.missing_values is not None:
            told["missing_values"] = list(self.missing_values)
        if self.task == "multilabel":
            told |= {"thresholds": list(self.thresholds), "logit_thresholds": list(self.logit_thresholds)}
        if self.task == "embedding":
            told["unit_norm"] = self.unit_norm
        if self.objective is not None:
            told["objective"] = self.objective
        if self.operators:
            told["operators"] = list(self.operators)
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
        """Return the contract of a JSON form. Unknown keys are ignored; a newer format is refused.

        The formats ``parity/1`` and ``parity/2`` have the same keys.

        Args:
            value: the JSON form, as ``json.loads`` reads it.
            where: the name of what holds it, for error messages.

        Raises:
            FormatError: a key is missing, of another type, or contradicts another.
        """
        if not isinstance(value, dict):
            raise FormatError(f"{where} is not a JSON object")
        check_format(value, where)
        try:
            return cls(
                name=one_of(value, "name", str),
                task=one_of(value, "task", str),
                inputs=tuple(TensorSpec.from_json(item) for item in one_of(value, "inputs", list)),
                outputs=tuple(TensorSpec.from_json(item) for item in one_of(value, "outputs", list)),
                features=tuple(Feature.from_json(item) for item in one_of(value, "features", list)),
                targets=names(value, "targets"),
                classes=tuple(one_of(value, "classes", list)),
                positive=one_of(value, "positive", str, int, type(None)),
                threshold=one_of(value, "threshold", float, int, type(None)),
                logit_threshold=one_of(value, "logit_threshold", float, int, type(None)),
                row_independent=one_of(value, "row_independent", bool, type(None)),
                graphs=texts(value, "graphs"),
                tolerance={name: Tolerance.from_json(item) for name, item in one_of(value, "tolerance", dict).items()},
                min_onnxruntime=one_of(value, "min_onnxruntime", str, type(None)),
                provenance=one_of(value, "provenance", dict),
                missing_values=None if value.get("missing_values") is None else names(value, "missing_values"),
                dimensions=texts(value, "dimensions") if "dimensions" in value else {},
                thresholds=numbers(value, "thresholds"),
                logit_thresholds=numbers(value, "logit_thresholds"),
                unit_norm=one_of(value, "unit_norm", bool, type(None)),
                objective=None if value.get("objective") == "mean" else one_of(value, "objective", str, type(None)),
                operators=names(value, "operators") if "operators" in value else (),
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
