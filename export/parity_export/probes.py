"""The questions that both sides must answer alike: real rows, random ones, special values, points on the boundary."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.source import ModelSource
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import LABEL
from parity_runtime.inputs import Arrays

SEED = 20260101
"""Every search is seeded with it: the same model gets the same questions on every machine."""

SAMPLE, UNIFORM, GAUSSIAN, SPECIAL, BOUNDARY = "sample", "uniform", "gaussian", "special", "boundary"

_RANDOM_ROWS = 256  # of each random kind; with the sample it keeps XOR's gate under half a second
_SAMPLE_ROWS = 512
_BOUNDARY_ROWS = 64
_BISECTIONS = 60  # a float32 interval has at most 2^32 values; 60 halvings in float64 reach neighbours anywhere
_MAX_VALUES = 4_000_000  # 16 MiB of float32: larger inputs get fewer rows
_MIN_ROWS = 8


@dataclass(frozen=True)
class Probes:
    """One batch of questions.

    Attributes:
        inputs: by name, ``[rows, ...]``.
        kinds: what each row is, text ``[rows]``.
    """

    inputs: Arrays
    kinds: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kinds)

    def take(self, rows: NDArray[np.int64]) -> "Probes":
        """Return the given rows."""
        return Probes({name: array[rows] for name, array in self.inputs.items()}, self.kinds[rows])

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        kinds, counts = np.unique(self.kinds, return_counts=True)
        return dict(zip(kinds.tolist(), counts.tolist(), strict=True))


def make_probes(source: ModelSource, reference: Callable[[Arrays], Arrays]) -> Probes:
    """Return every kind of probe for a model: special values first, the others in a seeded random order.

    So the first rows, which every batch size is asked, hold some of each kind.

    Args:
        source: the model.
        reference: its float64 answers, to walk to the decision boundary.
    """
    random = np.random.default_rng(SEED)
    contract = source.contract
    parts = [*_sample_rows(source, random), *_random_rows(contract, random), *_special_rows(contract)]
    if contract.is_classifier:
        ordinary = _concatenate([part for part in parts if part.kinds[0] != SPECIAL])
        parts += _boundary_rows(ordinary, reference, random)
    probes = _concatenate(parts)
    shuffled = random.permutation(len(probes))
    return probes.take(shuffled[np.argsort(probes.kinds[shuffled] != SPECIAL, kind="stable")])


def margins(contract: ModelContract, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each row's logits ``[rows, k]`` are from another label, float64 ``[rows]``."""
    if contract.task == "binary":
        return np.abs(logits[:, 0] - (contract.logit_threshold or 0.0))
    best = np.partition(logits, -2, axis=1)
    return best[:, -1] - best[:, -2]


def _num_rows(contract: ModelContract, wanted: int) -> int:
    per_row = sum(int(np.prod([size for size in spec.shape[1:] if isinstance(size, int)])) for spec in contract.inputs)
    return max(_MIN_ROWS, min(wanted, _MAX_VALUES // max(1, per_row)))


def _sample_rows(source: ModelSource, random: np.random.Generator) -> Iterator[Probes]:
    if source.sample is None:
        return
    rows = len(next(iter(source.sample.values())))
    chosen = np.sort(random.permutation(rows)[: _num_rows(source.contract, _SAMPLE_ROWS)])
    yield _labelled(SAMPLE, {name: array[chosen] for name, array in source.sample.items()})


def _random_rows(contract: ModelContract, random: np.random.Generator) -> Iterator[Probes]:
    rows = _num_rows(contract, _RANDOM_ROWS)
    yield _labelled(UNIFORM, {spec.name: _uniform(contract, spec, rows, random) for spec in contract.inputs})
    yield _labelled(GAUSSIAN, {spec.name: _gaussian(contract, spec, rows, random) for spec in contract.inputs})


def _uniform(contract: ModelContract, spec: TensorSpec, rows: int, random: np.random.Generator) -> NDArray[np.generic]:
    """Draw from the features' range, a quarter of its width wider on both sides; [-1, 1] where none is known."""
    low, high = _range(contract, spec)
    margin = (high - low) / 4
    return _cast(random.uniform(low - margin, high + margin, _shape(spec, rows)), spec)


def _gaussian(contract: ModelContract, spec: TensorSpec, rows: int, random: np.random.Generator) -> NDArray[np.generic]:
    """Draw around the middle of the range with its half width as deviation, scaled by 1, 3 or 10 from row to row."""
    low, high = _range(contract, spec)
    scale = np.resize([1.0, 3.0, 10.0], rows).reshape(-1, *[1] * (len(spec.shape) - 1))
    drawn = random.standard_normal(_shape(spec, rows)) * scale
    return _cast((low + high) / 2 + drawn * (high - low) / 2, spec)


def _special_rows(contract: ModelContract) -> Iterator[Probes]:
    """Yield rows filled with one special value each: zeros, subnormals, the smallest normal, the largest."""
    limits = np.finfo(np.float32)
    floats = [0.0, -0.0, limits.smallest_subnormal, -limits.smallest_subnormal, limits.tiny, -limits.tiny,
              limits.max, -limits.max, 1.0, -1.0]  # fmt: skip
    filled = {
        spec.name: np.stack([np.full(_shape(spec, 1)[1:], _cast(np.array(value), spec)) for value in floats])
        for spec in contract.inputs
    }
    yield _labelled(SPECIAL, filled)


def _boundary_rows(
    rows: Probes, reference: Callable[[Arrays], Arrays], random: np.random.Generator
) -> Iterator[Probes]:
    """Yield rows where the label changes: halve the segment between two rows of different labels, all at once."""
    labels = reference(rows.inputs)[LABEL]
    shuffled = random.permutation(len(rows))
    pairs = np.stack([np.arange(len(rows)), shuffled])[:, labels != labels[shuffled]][:, :_BOUNDARY_ROWS]
    floats = [name for name, array in rows.inputs.items() if array.dtype.kind == "f"]
    if pairs.size == 0 or not floats:
        return
    start, end = ({name: array[side] for name, array in rows.inputs.items()} for side in pairs)
    for name in set(rows.inputs) - set(floats):
        end[name] = start[name]
    start_labels = reference(start)[LABEL]
    for _ in range(_BISECTIONS):
        middle = {name: _between(start[name], end[name]) if name in floats else start[name] for name in start}
        same = reference(middle)[LABEL] == start_labels
        start = {name: _where(same, middle[name], start[name]) for name in start}
        end = {name: _where(same, end[name], middle[name]) for name in end}
    yield _labelled(BOUNDARY, start)
    yield _labelled(BOUNDARY, end)


def _between(start: NDArray[np.generic], end: NDArray[np.generic]) -> NDArray[np.generic]:
    return ((start.astype(np.float64) + end.astype(np.float64)) / 2).astype(start.dtype)


def _where(mask: NDArray[np.bool_], yes: NDArray[np.generic], no: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.where(mask.reshape(-1, *[1] * (yes.ndim - 1)), yes, no)


def _range(contract: ModelContract, spec: TensorSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest value of each column as seen in training; -1 and 1 where unknown."""
    width = spec.shape[-1] if contract.features and isinstance(spec.shape[-1], int) else 1
    low, high = np.full(width, -1.0), np.full(width, 1.0)
    for feature in contract.features:
        if feature.low is not None and feature.high is not None:
            low[feature.index], high[feature.index] = feature.low, feature.high
    return low, high


def _shape(spec: TensorSpec, rows: int, dynamic: int = 4) -> tuple[int, ...]:
    return (rows, *(size if isinstance(size, int) else dynamic for size in spec.shape[1:]))


def _cast(values: NDArray[np.float64], spec: TensorSpec) -> NDArray[np.generic]:
    if spec.dtype == "bool":
        return values > 0
    if spec.dtype.startswith(("int", "uint")):
        return np.clip(np.rint(np.abs(values)), 0, 1).astype(spec.dtype)  # 0 and 1 are in range of any index
    limits = np.finfo(spec.dtype)
    return np.clip(values, limits.min, limits.max).astype(spec.dtype)


def _labelled(kind: str, inputs: Arrays) -> Probes:
    return Probes(inputs, np.full(len(next(iter(inputs.values()))), kind))


def _concatenate(parts: list[Probes]) -> Probes:
    names = parts[0].inputs
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in names}
    return Probes(inputs, np.concatenate([part.kinds for part in parts]))
