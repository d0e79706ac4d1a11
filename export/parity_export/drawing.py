"""Probes that are drawn: real rows, random ones over and beyond the range of training, special values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parity_export.batching import batch_name, row_axis
from parity_export.probes import EXTREME, GAUSSIAN, SAMPLE, SPECIAL, UNIFORM, Probes, labelled
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.inputs import Arrays

_RANDOM_ROWS = 256  # of each random kind; with the sample it keeps XOR's gate well under half a second
_SAMPLE_ROWS = 512
_MAX_VALUES = 500_000  # of one kind over all inputs: larger inputs get fewer rows
_MIN_ROWS = 8
_HIGHEST_INTEGER = 2**16  # vocabularies and categories beyond that are probed up to there


@dataclass(frozen=True)
class Drawing:
    """Draws rows for one model.

    Attributes:
        contract: of the model.
        dimensions: the size of every dynamic dimension but the batch.
        integer_limits: by integer input, the number that its values stay below.
    """

    contract: ModelContract
    dimensions: Mapping[str, int]
    integer_limits: Mapping[str, int]

    def rows(self, random: np.random.Generator, sample: Arrays | None) -> list[Probes]:
        """Return the drawn probes, a part a kind."""
        parts = [self._sample(sample, random)] if sample is not None else []
        for kind, draw in ((UNIFORM, self._uniform), (GAUSSIAN, self._gaussian)):
            parts.append(labelled(kind, self._draw(draw, random)))
        return [*parts, *self._special()]

    def nonfinite(self) -> Arrays:
        """Return rows of NaN, infinity and minus infinity: reported, not gated."""
        return self._filled([np.nan, np.inf, -np.inf])

    def row_shape(self, spec: TensorSpec) -> tuple[int, ...]:
        """Return the shape of one row of an input: its shape without the batch axis."""
        axis = row_axis(spec, batch_name(self.contract))
        sizes = [size if isinstance(size, int) else self.dimensions[size]
                 for index, size in enumerate(spec.shape) if index != axis]  # fmt: skip
        return tuple(sizes)

    def _num_rows(self, wanted: int) -> int:
        per_row = sum(int(np.prod(self.row_shape(spec))) for spec in self.contract.inputs)
        return max(_MIN_ROWS, min(wanted, _MAX_VALUES // max(1, per_row)))

    def _sample(self, sample: Arrays, random: np.random.Generator) -> Probes:
        rows = len(next(iter(sample.values())))
        chosen = np.sort(random.permutation(rows)[: self._num_rows(_SAMPLE_ROWS)])
        return labelled(SAMPLE, {name: array[chosen] for name, array in sample.items()})

    def _draw(self, draw: Callable[..., NDArray[np.float64]], random: np.random.Generator) -> Arrays:
        rows = self._num_rows(_RANDOM_ROWS)
        batch = batch_name(self.contract)
        inputs: Arrays = {}
        for spec in self.contract.inputs:
            drawn = self._cast(spec, draw(spec, (rows, *self.row_shape(spec)), random), random)
            shared = row_axis(spec, batch) is None and batch is not None
            inputs[spec.name] = np.broadcast_to(drawn[:1], drawn.shape) if shared else drawn
        return inputs

    def _uniform(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw from the features' range, a quarter of its width wider on both sides."""
        low, high = self._range(spec)
        margin = (high - low) / 4
        return random.uniform(low - margin, high + margin, shape)

    def _gaussian(self, spec: TensorSpec, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float64]:
        """Draw around the middle of the range, its half width as deviation, scaled by 1, 3 or 10 row by row."""
        low, high = self._range(spec)
        scale = np.resize([1.0, 3.0, 10.0], shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        drawn: NDArray[np.float64] = (low + high) / 2 + random.standard_normal(shape) * scale * (high - low) / 2
        return drawn

    def _special(self) -> list[Probes]:
        """Fill rows with one special value each: zeros, subnormals, the smallest normal, ones; and the largest."""
        limits = np.finfo(np.float32)
        tiny, smallest, largest = float(limits.tiny), float(limits.smallest_subnormal), float(limits.max)
        special = [0.0, -0.0, smallest, -smallest, tiny, -tiny, 1.0, -1.0]
        return [labelled(SPECIAL, self._filled(special)), labelled(EXTREME, self._filled([largest, -largest]))]

    def _filled(self, values: list[float]) -> Arrays:
        return {
            spec.name: np.stack([
                np.full(self.row_shape(spec), value if spec.dtype.startswith("float") else abs(value) == 1, spec.dtype)
                for value in self._representable(spec, values)
            ])
            for spec in self.contract.inputs
        }  # fmt: skip

    def _representable(self, spec: TensorSpec, values: list[float]) -> list[float]:
        if not spec.dtype.startswith("float"):
            return values
        limits = np.finfo(spec.dtype)
        return [value if not np.isfinite(value) else float(np.clip(value, limits.min, limits.max)) for value in values]

    def _range(self, spec: TensorSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest value of each column as seen in training; -1 and 1 where unknown."""
        width = spec.shape[-1] if self.contract.features and isinstance(spec.shape[-1], int) else 1
        low, high = np.full(width, -1.0), np.full(width, 1.0)
        for feature in self.contract.features:
            if feature.low is not None and feature.high is not None:
                low[feature.index], high[feature.index] = feature.low, feature.high
        return low, high

    def _cast(self, spec: TensorSpec, values: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.generic]:
        if spec.dtype == "bool":
            return values > 0
        if spec.dtype.startswith(("int", "uint")):
            return random.integers(0, self.integer_limits[spec.name], values.shape).astype(spec.dtype)
        limits = np.finfo(spec.dtype)
        return np.clip(values, limits.min, limits.max).astype(spec.dtype)


def integer_limits(
    contract: ModelContract, dimensions: Mapping[str, int], accepts: Callable[[Arrays], bool]
) -> dict[str, int]:
    """Return, for each integer input, the power of two that its values may stay below.

    Indices of an embedding are refused by torch where they leave the table; the limit is doubled until then.

    Args:
        contract: of the model.
        dimensions: the size of every dynamic dimension but the batch.
        accepts: whether torch answers rows, rows first.
    """
    limits = {spec.name: 1 for spec in contract.inputs if spec.dtype.startswith(("int", "uint"))}
    drawing = Drawing(contract, dimensions, limits)
    zeros = {spec.name: np.zeros((2, *drawing.row_shape(spec)), spec.dtype) for spec in contract.inputs}
    for spec in contract.inputs:
        if spec.name not in limits:
            continue
        highest = min(_HIGHEST_INTEGER, int(np.iinfo(spec.dtype).max) + 1)
        while limits[spec.name] < highest:
            tried = zeros | {spec.name: zeros[spec.name] + spec_value(spec, 2 * limits[spec.name] - 1)}
            if not accepts(tried):
                break
            limits[spec.name] *= 2
    return limits


def spec_value(spec: TensorSpec, value: int) -> np.generic:
    """Return a number in the dtype of an input."""
    scalar: np.generic = np.dtype(spec.dtype).type(value)
    return scalar
