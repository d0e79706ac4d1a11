"""Training data from a table: which columns, which task, which classes."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.contract import LABEL, VALUE, Task, binary_logit_threshold, classifier_outputs
from parity_runtime.feature import TIMESTAMPS
from parity_runtime.printable import counted
from parity_runtime.tables.table_file import ReadOptions, TableFile
from parity_training.data.column_kinds import KindOf
from parity_training.data.columns import Columns, read_columns
from parity_training.data.rows_of_file import RowsOfFile, file_state
from parity_training.data.split import stratified_split
from parity_training.data.table_features import MOST_CATEGORIES, TableFeatures, table_inputs
from parity_training.data.table_settings import KINDS_SAID, TableSettings, TableTask
from parity_training.data.training_data import TrainingData
from parity_training.data.training_profile import date_counts
from parity_training.data.value_range import COARSEST_STEP
from parity_training.settings import DEFAULT_SEED, TrainSettings

MOST_CLASSES = 20
"""A target of more distinct integers, or of fewer than two rows each, is a regression, unless the task is given."""

PATIENCE, STEPS_AN_EPOCH = 20, 20
"""Epochs without a better one after which a table's training ends, and the steps that an epoch has at least."""

_SMALLEST_BATCH, _LARGEST_BATCH = 8, 128  # rows


class TableDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of a CSV, JSON Lines, Parquet or Arrow file, in memory.

    >>> from parity_training import TableDataset, TableSettings
    >>> dataset = TableDataset("tests/data/test.csv", TableSettings("label"))
    >>> dataset
    TableDataset(binary, 2 features, 500 rows)
    >>> dataset.features, dataset.classes, dataset.data.dtype
    (('x1', 'x2'), (0, 1), torch.float32)

    Args:
        path: the file.
        settings: what its columns mean.
        tell: is told, in a sentence, what was found out about how the file is written.

    Attributes:
        data: float32 ``[rows, numbers + dates]``: the columns of numbers and booleans, then the year of each date; NaN
            where a cell is missing. What the text of a row is to the network, `table_data` says: only the training
            rows decide which categories have an index.
        label: class indices, int64 ``[rows]``; of a regression float32 ``[rows]``.
        features: the columns' names.
        kinds: of each of them.
        task: binary, multiclass or regression.
        classes: the labels by index, text or integers; empty for a regression.
        columns: all that was read.
        without_target: how many rows were left out because their target is missing.
        words: the words for a missing cell that were met in the target, with their counts.
        index: the columns that were left out as an index; an unnamed one is empty.

    Raises:
        InputError: the table cannot be learned from; the sentence names the column or the row.
    """

    def __init__(
        self, path: str | Path, settings: TableSettings, *, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        file = TableFile.named(str(path), settings.reading, tell=tell)
        state = file_state(file.name)
        columns = read_columns(file, settings.choice, settings.given_lists)
        self.words = columns.target.words
        self.task: Task
        self.classes: tuple[str, ...] | tuple[int, ...] = ()
        numbers = columns.target.as_numbers()
        if numbers is None:
            _refuse_no_classes(columns, settings)
        elif np.isnan(numbers).any():  # a word that is missing among numbers alone
            self.words = self.words + columns.target.dashes
            columns = columns.keep(~np.isnan(numbers))
            numbers = numbers[~np.isnan(numbers)]
        self.columns = columns
        self.data = torch.from_numpy(columns.data)
        if numbers is not None and _is_regression(numbers, settings.task):
            self.task = "regression"
            self.label = torch.from_numpy(_regression_target(columns, numbers, settings))
        else:
            index, self.classes = _classes(columns, numbers, settings)
            self.label = torch.from_numpy(index)
            self.task = "binary" if len(self.classes) == 2 else "multiclass"
        plain = (*columns.of("numeric"), *([] if numbers is None else [settings.target]))
        self.table = RowsOfFile(file, columns.row_numbers, plain, tuple(columns.of("code")), state)

    def __repr__(self) -> str:
        return f"TableDataset({self.task}, {counted(len(self.features), 'feature')}, {counted(len(self), 'row')})"

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.data[index], self.label[index]

    @property
    def features(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns.kinds)

    @property
    def kinds(self) -> dict[str, KindOf]:
        """The kind of each feature."""
        return self.columns.kinds

    @property
    def without_target(self) -> int:
        """How many rows were left out because their target is missing."""
        return self.columns.without_target

    @property
    def index(self) -> tuple[str, ...]:
        """The columns that were left out as an index."""
        return tuple(one.name for one in self.columns.left_out if one.why == "index")


def table_data(dataset: TableDataset, settings: TableSettings, name: str) -> TrainingData:
    """Return the problem of a table: its split, its contract, and what a recipe keeps of it.

    >>> from parity_training import TableDataset, TableSettings, table_data
    >>> settings = TableSettings("label")
    >>> table_data(TableDataset("tests/data/test.csv", settings), settings, name="points")
    TrainingData(binary, 2 features, 500 rows: 400 train, 50 validation, 50 test)

    Args:
        dataset: the rows.
        settings: what they mean.
        name: the model's name.

    Raises:
        InputError: the fractions leave nothing to train on, or a name cannot be used.
    """
    if dataset.task != "binary" and settings.threshold != 0.5:
        raise InputError(f"{argument('threshold')} goes with two classes; {settings.target} is a {dataset.task} target")
    group = np.zeros(len(dataset), np.int64) if dataset.task == "regression" else dataset.label.numpy()
    split = stratified_split(group, settings.validation, settings.test, settings.seed)
    features = TableFeatures(dataset.columns, split.train, settings.max_categories)
    source: dict[str, Any] = {
        "source": "table",
        "rows": len(dataset),
        "sha256": _fingerprint(dataset, features),
        "target": settings.target,
        "features": list(dataset.features),
        "task": dataset.task,
        "classes": list(dataset.classes),
        "threshold": settings.threshold,
        "validation": settings.validation,
        "test": settings.test,
        "seed": settings.seed,
    }
    told = asdict(settings.reading)
    source |= {name: told[name] for name in told if told[name] != getattr(ReadOptions(), name)}
    source |= {item: getattr(settings, item) for item in KINDS_SAID if getattr(settings, item)}
    if settings.max_categories != MOST_CATEGORIES:
        source["max_categories"] = settings.max_categories
    source = {key: list(value) if isinstance(value, tuple) else value for key, value in source.items()}  # as in JSON
    contract = _contract(dataset, settings, name, features)
    indices = features.indices()
    dates = tuple(
        date_counts(feature, dataset.columns.seconds[split.train, feature.index])
        for feature in contract.features_of(TIMESTAMPS)
    )
    return TrainingData(dataset.data, dataset.label, split, contract, source, True, indices, dataset.table, dates)


def table_defaults(training_data: TrainingData, seed: int = DEFAULT_SEED) -> TrainSettings:
    """Return how a table is trained on where nobody says otherwise: Adam, until validation no longer improves.

    Batches are small enough that an epoch of a small table has some steps.
    """
    batch_size = min(max(len(training_data.split.train) // STEPS_AN_EPOCH, _SMALLEST_BATCH), _LARGEST_BATCH)
    return TrainSettings(batch_size=batch_size, patience=PATIENCE, seed=seed)


def _refuse_no_classes(columns: Columns, settings: TableSettings) -> None:
    """Refuse a target that is no column of numbers and may be no list of classes, unless it is said to be one."""
    target = columns.target
    if settings.task != "classification":
        target.refuse_odd_numbers()
    if settings.task == "regression":
        target.refuse_text()
    if settings.missing_values is None:
        target.refuse_doubtful_words(columns.words)


def _is_regression(numbers: NDArray[np.float64], task: TableTask | None) -> bool:
    """Whether numbers are to be predicted as such: given, or not integers, or too many for a list of classes."""
    if task is not None:
        return task == "regression"
    distinct = np.unique(numbers)
    return len(distinct) > min(MOST_CLASSES, len(numbers) / 2) or not np.array_equal(distinct, np.round(distinct))


def _regression_target(columns: Columns, numbers: NDArray[np.float64], settings: TableSettings) -> NDArray[np.float32]:
    if settings.positive is not None:
        raise InputError(f"{argument('positive')} goes with two classes; {settings.target} is a regression")
    if not np.isfinite(numbers).all() or np.abs(numbers).max() > np.finfo(np.float32).max:
        raise InputError(f"{columns.where}: {settings.target} is infinite, or beyond float32, in some row")
    rounded = numbers.astype(np.float32)
    if np.abs(rounded - numbers).max() > COARSEST_STEP * numbers.std():
        raise InputError(
            f"{columns.where}: float32 cannot tell the values of {settings.target} apart (they differ by some "
            f"{numbers.std():.3g} around {numbers.mean():.6g}); subtract an offset, or change the unit"
        )
    return rounded


def _classes(
    columns: Columns, numbers: NDArray[np.float64] | None, settings: TableSettings
) -> tuple[NDArray[np.int64], tuple[str, ...] | tuple[int, ...]]:
    """Return the class index of each row, int64 ``[rows]``, and the classes in order."""
    target = columns.target
    classes: list[Any]
    if numbers is not None and np.array_equal(numbers, np.round(numbers)) and (np.abs(numbers) < 2**53).all():
        values, index = np.unique(numbers.astype(np.int64), return_inverse=True)
        classes = values.tolist()
    elif target.texts is not None:
        codes = np.concatenate(target.codes)
        names = list(target.texts)
        classes = sorted(names[code] for code in np.unique(codes))
        place = {text: position for position, text in enumerate(classes)}
        index = np.array([place.get(text, -1) for text in names], np.int64)[codes]
        if settings.task is None:
            target.refuse_few_rows(classes, len(index))
    else:
        raise InputError(f"{columns.where}: {settings.target} has too many different values to be classes")
    if len(classes) < 2:
        raise InputError(
            f"{columns.where}: every {settings.target} is {classes[0]!r}; two classes or more can be told apart"
        )
    if settings.positive is not None:
        classes, index = _positive_second(classes, index, settings.positive)
    return index.astype(np.int64), tuple(classes)


def _positive_second(
    classes: list[Any], index: NDArray[np.int64], positive: str
) -> tuple[list[Any], NDArray[np.int64]]:
    if len(classes) != 2:
        raise InputError(f"{argument('positive')} goes with two classes; there are {len(classes)}")
    if positive not in map(str, classes):
        raise InputError(f"{argument('positive')} {positive} is no class; there are {classes[0]} and {classes[1]}")
    return (classes, index) if str(classes[1]) == positive else (classes[::-1], 1 - index)


def _contract(dataset: TableDataset, settings: TableSettings, name: str, features: TableFeatures) -> ModelContract:
    _refuse_taken_names(dataset)
    binary = dataset.task == "binary"
    outputs = (
        (TensorSpec(VALUE, "float32", ("batch", 1)),)
        if dataset.task == "regression"
        else classifier_outputs(len(dataset.classes))
    )
    return ModelContract(
        name=name,
        task=dataset.task,
        inputs=table_inputs(features.features),
        outputs=outputs,
        features=features.features,
        targets=(settings.target,),
        classes=dataset.classes,
        positive=dataset.classes[1] if binary else None,
        threshold=settings.threshold if binary else None,
        logit_threshold=binary_logit_threshold(settings.threshold) if binary else None,
        missing_values=settings.missing_values,
    )


def _refuse_taken_names(dataset: TableDataset) -> None:
    """Refuse features that bear the name of a column which predictions add to a table."""
    added = {LABEL, *(f"probability_{label}" for label in dataset.classes)} if dataset.classes else set()
    taken = [name for name in dataset.features if name in added]
    if taken:
        drop = argument("drop_columns", tuple(taken))
        raise InputError(
            f"{dataset.columns.where}: {', '.join(taken)} is the name of a column that predictions add; rename it, or "
            f"leave it out with {drop}",
            column=taken[0],
        )


def _fingerprint(dataset: TableDataset, features: TableFeatures) -> str:
    """Return sha256 over the rows: a resumed run must have the same."""
    digest = hashlib.sha256(repr((dataset.features, dataset.classes)).encode())
    digest.update(dataset.data.numpy().reshape(-1).data.cast("B"))
    digest.update(dataset.label.numpy().tobytes())
    indices, seconds = features.indices(), dataset.columns.seconds
    if indices is not None:
        digest.update(repr(features.features).encode())
        digest.update(indices.numpy().reshape(-1).data.cast("B"))
        digest.update(seconds.reshape(-1).data.cast("B"))
    return digest.hexdigest()
