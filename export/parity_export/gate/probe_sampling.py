"""Probes that are drawn: real rows, random ones over and beyond the range of training, special values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.gate_plan import FULL, GatePlan
from parity_export.gate.probe_ranges import Ends, spread, widened
from parity_export.gate.probes import (
    CALENDAR,
    EXTREME,
    GAUSSIAN,
    LARGE,
    SAMPLE,
    SEED,
    SMALL,
    SPECIAL,
    SUBNORMAL,
    TEXT,
    UNIFORM,
    Probes,
    labelled,
)
from parity_export.gate.text_probes import all_texts, drawn_texts
from parity_export.gate.timestamp_probes import calendar_timestamps, drawn_timestamps
from parity_export.sources.batch_axis import row_axis
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.contract import batch_name
from parity_runtime.feature import CATEGORIES, MISSING_CATEGORY, MISSING_TIMESTAMP, TIMESTAMPS
from parity_runtime.inference.input_validation import Arrays

_TEXT_ROWS = 2048  # of texts: each of a larger vocabulary is asked of the encoder alone
_HIGHEST_INDEX = 2**26  # no vocabulary is larger; what torch accepts beyond is no index
_HIGHEST_INTEGER = 2**16  # so that integers which are no indices stay exact in float32
_SMALL_INTEGER = 8
_TIES = (0.5, -0.5, 1.5, -1.5, 2.5, -2.5)  # halves are rounded to even, away from zero, or upward
_MISSING_ROWS, _MISSING_SHARE = 8, 0.25
_LARGEST_INTEGER = 2**40


@dataclass(frozen=True)
class ProbeSampler:
    """Draws rows for one model.

    Attributes:
        contract: of the model.
        dimensions: the size of every dynamic dimension but the batch.
        integer_ranges: by integer input, its lowest and highest value.
        compared: numbers that the module or its graph compares with.
        plan: how many rows of each kind are drawn.
    """

    contract: ModelContract
    dimensions: Mapping[str, int]
    integer_ranges: Mapping[str, tuple[int, int]]
    compared: Sequence[float] = ()
    plan: GatePlan = FULL

    def rows(self, random: np.random.Generator, sample: Arrays | None) -> list[Probes]:
        """Return the drawn probes, a part a kind."""
        parts = [self._sample(sample, random)] if sample is not None else []
        draws = {UNIFORM: self._uniform, GAUSSIAN: self._gaussian}
        draws |= {SMALL: self._small, LARGE: self._large} if self.plan.far else {}
        parts += [labelled(kind, self._draw(kind, draw, random)) for kind, draw in draws.items()]
        return [*parts, *self._encoded(random), *self._special()]

    def nonfinite(self) -> Arrays:
        """Return rows of NaN, infinity and minus infinity: reported, not gated."""
        return self._filled([np.nan, np.inf, -np.inf])

    def missing(self, random: np.random.Generator) -> Arrays:
        """Return rows of the range with a cell in four missing (NaN), and one that is nothing else."""
        drawn = self._draw(UNIFORM, self._uniform, random)
        rows = {name: array[:_MISSING_ROWS].copy() for name, array in drawn.items()}
        for name, array in rows.items():
            nothing = np.nan if array.dtype.kind == "f" else self._missing_cell(name)
            if nothing is not None:
                gone = random.random(array.shape) < _MISSING_SHARE
                gone[0] = True
                array[gone] = nothing
        return rows

    def _missing_cell(self, name: str) -> str | int | None:
        """Return what a missing cell of text or timestamps is; None for an input of anything else."""
        found = {"string": MISSING_CATEGORY} | ({"int64": MISSING_TIMESTAMP} if self.contract.features_of(name) else {})
        return next((found.get(spec.dtype) for spec in self.contract.inputs if spec.name == name), None)

    def row_shape(self, spec: TensorSpec) -> tuple[int, ...]:
        """Return the shape of one row of an input: its shape without the batch axis."""
        axis = row_axis(spec, batch_name(self.contract))
        sizes = [size if isinstance(size, int) else self.dimensions[size]
                 for index, size in enumerate(spec.shape) if index != axis]  # fmt: skip
        return tuple(sizes)

    def _sample(self, sample: Arrays, random: np.random.Generator) -> Probes:
        rows = len(next(iter(sample.values())))
        chosen = np.sort(random.permutation(rows)[: self.plan.sample_rows])
        return labelled(SAMPLE, {name: array[chosen] for name, array in sample.items()})

    def _draw(self, kind: str, draw: Callable[..., NDArray[np.float64]], random: np.random.Generator) -> Arrays:
        rows = self.plan.rows
        batch = batch_name(self.contract)
        inputs: Arrays = {}
        for spec in self.contract.inputs:
            if self._is_encoded(spec):
                inputs[spec.name] = self._cells(spec, rows, random)
                continue
            shape = (rows, *self.row_shape(spec))
            integer = spec.dtype.startswith(("int", "uint"))
            integers = self._large_integers if kind == LARGE else self._integers
            drawn = integers(spec, shape, random) if integer else self._cast(spec, draw(spec, shape, random))
            shared = row_axis(spec, batch) is None and batch is not None
            inputs[spec.name] = np.repeat(drawn[:1], rows, axis=0) if shared else drawn
        return inputs

    def _is_encoded(self, spec: TensorSpec) -> bool:
        """Whether an input holds a table's text or timestamps, which no arithmetic is done with."""
        return spec.dtype == "string" or any(one.kind == "datetime" for one in self.contract.features_of(spec.name))

    def _cells(self, spec: TensorSpec, rows: int, random: np.random.Generator) -> NDArray[Any]:
        """Draw text or timestamps, ``[rows, columns]``."""
        draw = drawn_texts if spec.dtype == "string" else drawn_timestamps
        return np.stack([draw(one, rows, random) for one in self.contract.features_of(spec.name)], axis=1)

    def _encoded(self, random: np.random.Generator) -> Iterator[Probes]:
        """Yield rows with every text, and rows with every turn of a calendar; their other cells are drawn."""
        texts = [all_texts(feature) for feature in self.contract.features_of(CATEGORIES)]
        if texts:
            rows = min(_TEXT_ROWS, max(map(len, texts)))
            cells = np.stack([np.resize(np.array(column, object), rows) for column in texts], axis=1)
            yield labelled(TEXT, self._resized(UNIFORM, rows, random) | {CATEGORIES: cells})
        count = len(self.contract.features_of(TIMESTAMPS))
        if count:
            timestamps = calendar_timestamps()
            cells = np.stack([np.roll(timestamps, 7 * column) for column in range(count)], axis=1)
            yield labelled(CALENDAR, self._resized(UNIFORM, len(timestamps), random) | {TIMESTAMPS: cells})

    def _resized(self, kind: str, rows: int, random: np.random.Generator) -> Arrays:
        """Draw rows of a kind, again and again up to a number of them."""
        drawn = self._draw(kind, self._uniform, random)
        return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in drawn.items()}

    def _uniform(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from the features' range, a quarter of its width wider on both sides."""
        return random.uniform(*widened(self._range(spec)), shape)

    def _gaussian(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw around the middle of the range, its half width as deviation, scaled by 1, 3 or 10 row by row."""
        low, high = self._range(spec)
        scale = np.resize([1.0, 3.0, 10.0], shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        drawn: NDArray[np.float64] = (low + high) / 2 + random.standard_normal(shape) * scale * (high - low) / 2
        return drawn

    def _small(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw around zero with 1e-1, 1e-2, ... 1e-6 times the half width of the range as deviation, row by row."""
        return self._around_zero(-np.arange(1, 7), spec, shape, random)

    def _large(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw around zero with 1e2, 1e3, ... 1e6 times the half width of the range as deviation, row by row."""
        return self._around_zero(np.arange(2, 7), spec, shape, random)

    def _around_zero(
        self, powers: NDArray[np.int64], spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator
    ) -> NDArray[np.float64]:
        low, high = self._range(spec)
        scale = np.resize(np.power(10.0, powers), shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        drawn: NDArray[np.float64] = random.standard_normal(shape) * scale * (high - low) / 2
        return drawn

    def _special(self) -> list[Probes]:
        """Fill rows with one special value each: zeros, ones, halves, what the code compares with, the smallest."""
        limits = np.finfo(np.float32)
        tiny, smallest, largest = float(limits.tiny), float(limits.smallest_subnormal), float(limits.max)
        values = {
            SPECIAL: [0.0, -0.0, 1.0, -1.0, *_TIES, *self._beside(self.compared)],
            SUBNORMAL: [smallest, -smallest, tiny, -tiny],
            EXTREME: [largest, -largest],
        }
        most = self.plan.special_values
        kinds = values if self.plan.draws_limits else {SPECIAL}
        return [labelled(kind, self._filled(values[kind][:most])) for kind in kinds if most != 0]

    @staticmethod
    def _beside(numbers: Sequence[float]) -> list[float]:
        """Return each number as float32, its two neighbours, and the integers beside it."""
        limits = np.finfo(np.float32)
        exact = [np.float32(value) for value in numbers if abs(value) <= limits.max]
        ends = (np.float32(np.inf), -np.float32(np.inf))
        near = [float(beside) for value in exact for beside in (value, *(np.nextafter(value, end) for end in ends))]
        return list(dict.fromkeys([*near, *(float(value) + step for value in numbers for step in (-1, 1))]))

    def _filled(self, values: list[float]) -> Arrays:
        return {
            spec.name: self._cells(spec, len(values), np.random.default_rng(SEED))
            if self._is_encoded(spec)
            else np.stack([
                np.full(self.row_shape(spec), self._filling(spec, value), spec.dtype)
                for value in self._representable(spec, values)
            ])
            for spec in self.contract.inputs
        }  # fmt: skip

    def _filling(self, spec: TensorSpec, value: float) -> float:
        """Return what fills an input: the value itself; of integers the nearest that is taken; of booleans if it is 1.

        A negative number becomes its size where none is taken.
        """
        if spec.dtype.startswith("float"):
            return value
        if spec.dtype == "bool" or not np.isfinite(value):
            return float(abs(value) == 1)
        low, high = self.integer_ranges.get(spec.name, (0, 1))
        whole = int(np.clip(value, -_LARGEST_INTEGER, _LARGEST_INTEGER))
        return min(max(abs(whole) if low >= 0 else whole, low), high)

    def _representable(self, spec: TensorSpec, values: list[float]) -> list[float]:
        if not spec.dtype.startswith("float"):
            return values
        limits = np.finfo(spec.dtype)
        return [value if not np.isfinite(value) else float(np.clip(value, limits.min, limits.max)) for value in values]

    def _range(self, spec: TensorSpec) -> Ends:
        """Return the ends of each column's range in training; -1 and 1 where unknown; all have a width."""
        width = spec.shape[-1] if self.contract.features and isinstance(spec.shape[-1], int) else 1
        low, high = np.full(width, -1.0), np.full(width, 1.0)
        for feature in self.contract.features_of(spec.name):
            if feature.range is not None:
                low[feature.index], high[feature.index] = feature.range
        return spread((low, high))

    def _large_integers(
        self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator
    ) -> NDArray[np.generic]:
        """Draw ids and seconds, beyond what float32 and int32 hold, where any integer is taken."""
        low, high = self.integer_ranges[spec.name]
        if high < _HIGHEST_INTEGER:
            return self._integers(spec, shape, random)
        highest = min(_LARGEST_INTEGER, int(np.iinfo(spec.dtype).max))
        return random.integers(
            max(-highest, int(np.iinfo(spec.dtype).min)) if low < 0 else 0, highest, shape, spec.dtype
        )

    def _integers(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.generic]:
        """Draw small numbers in every other row, and in the others each number of the range before one comes twice."""
        low, high = self.integer_ranges[spec.name]
        count = int(np.prod(shape))
        if high - low < count:
            rounds = [random.permutation(np.arange(low, high + 1)) for _ in range(count // (high - low + 1) + 1)]
            return np.concatenate(rounds)[:count].reshape(shape).astype(spec.dtype)
        drawn = random.integers(low, high + 1, shape)
        drawn[::2] = random.integers(max(low, -_SMALL_INTEGER), min(high, _SMALL_INTEGER) + 1, drawn[::2].shape)
        drawn.reshape(-1)[-1] = high
        return drawn.astype(spec.dtype)

    def _cast(self, spec: TensorSpec, values: NDArray[np.float64]) -> NDArray[np.generic]:
        if spec.dtype == "bool":
            return values > 0
        limits = np.finfo(spec.dtype)
        return np.clip(values, limits.min, limits.max).astype(spec.dtype)


def integer_ranges(
    contract: ModelContract, dimensions: Mapping[str, int], accepts: Callable[[Arrays], bool]
) -> dict[str, tuple[int, int]]:
    """Return the lowest and highest value of each integer input.

    Torch refuses an index that leaves its table: the highest that it accepts is found by doubling and halving. An
    input that is no index takes any integer, negative ones too.

    Args:
        contract: of the model.
        dimensions: the size of every dynamic dimension but the batch.
        accepts: whether torch answers rows, rows first.
    """
    sampler = ProbeSampler(contract, dimensions, {})
    zeros = {spec.name: np.zeros((2, *sampler.row_shape(spec)), spec.numpy_dtype) for spec in contract.inputs}

    def taken(spec: TensorSpec, value: int) -> bool:
        return accepts(zeros | {spec.name: np.full_like(zeros[spec.name], value)})

    return {
        spec.name: _integer_range(spec, taken)
        for spec in contract.inputs
        if spec.dtype.startswith(("int", "uint")) and not contract.features_of(spec.name)
    }


def _integer_range(spec: TensorSpec, taken: Callable[[TensorSpec, int], bool]) -> tuple[int, int]:
    limits = np.iinfo(spec.dtype)
    ceiling = min(_HIGHEST_INDEX, int(limits.max))
    if taken(spec, ceiling):
        highest = min(_HIGHEST_INTEGER, ceiling)
        negative = limits.min < 0 and taken(spec, -1)
        return (max(int(limits.min), -highest) if negative else 0), highest
    accepted, refused = 0, ceiling
    while refused - accepted > 1:
        middle = (accepted + refused) // 2
        accepted, refused = (middle, refused) if taken(spec, middle) else (accepted, middle)
    return 0, accepted
