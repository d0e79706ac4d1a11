"""Arrays inside of a domain: checked, made, and brought back into it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.sources.batch_axis import row_axis
from parity_export.sources.input_domain import InputDomain
from parity_runtime import InputError, TensorSpec

_NORM_RTOL = 1e-3  # of a row of samples: its float32 norm is 1 within that, whatever its length is
_INNER = 2.0**-20  # of a width: how far inside of an end that does not belong to the domain a value is put
_WHOLE = 4  # one row in so many has a mask that leaves nothing out

Sizes = Mapping[str, int]
Place = tuple[int, tuple[int, ...], Any]


def violation(domain: InputDomain, array: NDArray[Any], sizes: Sizes) -> Place | None:
    """Return the first value outside of a domain, its row, its place in the row and itself; None where all are inside.

    Args:
        domain: of the input.
        array: rows first.
        sizes: of the dynamic dimensions.
    """
    outside = _misplaced(domain, array)
    if not domain.unit_norm:
        ends = domain.integer_ends(sizes) if array.dtype.kind in "iu" else domain.ends(sizes)
        low, high = (-np.inf if ends[0] is None else ends[0]), (np.inf if ends[1] is None else ends[1])
        strict = array.dtype.kind == "f"
        with np.errstate(invalid="ignore"):
            outside |= ~(array > low if strict and domain.above else array >= low)
            outside |= ~(array < high if strict and domain.below else array <= high)
    if not outside.any():
        return None
    row, *place = (int(index) for index in np.argwhere(outside)[0])
    return row, tuple(place), array[(row, *place)].item()


def _misplaced(domain: InputDomain, array: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which values contradict those beside them along the last axis."""
    outside = np.zeros(array.shape, bool)
    if not array.size or array.ndim < 2:
        return outside
    if domain.is_mask:
        outside |= (array != 0) & (array != 1)
        kept = _kept(domain, array != 0)
        inside = np.logical_and.accumulate(kept, axis=-1) == kept
        inside[..., 0] &= kept[..., 0]
        outside |= ~_turned(domain, inside)
    if domain.sorted:
        outside[..., 1:] |= array[..., 1:] < array[..., :-1]
    values = array.astype(np.float64)
    if domain.one_hot:
        outside |= (values != 0) & (values != 1)
        outside[..., 0] |= values.sum(axis=-1) != 1
    if domain.unit_norm:
        outside[..., 0] |= ~(np.abs(np.sqrt(np.square(values).sum(axis=-1)) - 1) <= _NORM_RTOL)
    return outside


def example(
    domain: InputDomain, shape: Sequence[int], sizes: Sizes, filling: float, dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    """Return an array inside of a domain, filled with one number as far as that can be; a mask leaves nothing out."""
    if domain.is_mask:
        return _mask(domain, np.ones(tuple(shape), bool), dtype)
    return project(domain, np.full(tuple(shape), filling, dtype), sizes)


def project(domain: InputDomain, array: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    """Return the nearest array inside of a domain, of the same dtype; NaN stays.

    A number beyond the only end that there is is reflected there, so that many numbers do not become one.
    """
    if domain.is_mask:
        kept = _kept(domain, array > 0).copy()
        kept[..., 0] = True
        return _mask(domain, np.logical_and.accumulate(kept, axis=-1), array.dtype)
    if domain.one_hot:
        hot = array.argmax(axis=-1)[..., None]
        return np.asarray((np.arange(array.shape[-1]) == hot).astype(array.dtype))
    if domain.unit_norm:
        return _normalized(array)
    bounded = (
        _integers_inside(domain, array, sizes) if array.dtype.kind != "f" else _floats_inside(domain, array, sizes)
    )
    return np.sort(bounded, axis=-1) if domain.sorted and bounded.ndim else bounded


def draw(
    domain: InputDomain, shape: Sequence[int], random: np.random.Generator, dtype: "np.dtype[Any]"
) -> NDArray[Any]:
    """Draw rows of a domain whose values hang together along the last axis: a mask, one-hot, of unit norm."""
    *rows, length = shape
    if domain.is_mask:
        lengths = np.asarray(random.integers(1, length + 1, rows))
        lengths[::_WHOLE] = length
        return _mask(domain, np.arange(length) < lengths[..., None], dtype)
    if domain.one_hot:
        return np.asarray((np.arange(length) == random.integers(0, length, rows)[..., None]).astype(dtype))
    return _normalized(random.standard_normal(tuple(shape)).astype(dtype))


def first_kept(domain: InputDomain, shape: Sequence[int], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return a mask that leaves out all it can: all but the first position of a prefix, or the last of a suffix."""
    kept = np.zeros(tuple(shape), bool)
    kept[..., 0] = True
    return _mask(domain, kept, dtype)


def _kept(domain: InputDomain, ones: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which positions a mask looks at, those that a row begins with first."""
    return _turned(domain, ones == domain.keeps_ones)


def _mask(domain: InputDomain, kept: NDArray[np.bool_], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return the mask of `_kept` positions."""
    return np.asarray((_turned(domain, kept) == domain.keeps_ones).astype(dtype))


def _turned(domain: InputDomain, positions: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return positions[..., ::-1] if domain.suffix else positions


def check_rows(specs: Sequence[TensorSpec], rows: Mapping[str, NDArray[Any]], sizes: Sizes, what: str) -> None:
    """Refuse rows that an input's domain does not hold.

    Args:
        specs: the inputs.
        rows: by input name, rows first.
        sizes: of the dynamic dimensions.
        what: gave the rows, for the error.

    Raises:
        InputError: names the input, the index of the value as numpy counts, rows first, and the value.
    """
    for spec in specs:
        domain = InputDomain.of(spec)
        found = violation(domain, rows[spec.name], sizes) if domain else None
        if found is not None:
            row, place, value = found
            where = ", ".join(map(str, (row, *place)))
            raise InputError(
                f"{what} contradict {spec}: {spec.name}[{where}] is {value}; correct them, or declare what "
                f"{spec.name} may hold"
            )


def sizes_of_rows(specs: Sequence[TensorSpec], rows: Mapping[str, NDArray[Any]], batch: str | None) -> dict[str, int]:
    """Return the sizes of the dynamic dimensions but the batch, of rows, rows first."""
    sizes: dict[str, int] = {}
    for spec in specs:
        axis = row_axis(spec, batch)
        shape = [size for index, size in enumerate(spec.shape) if index != axis]
        found = zip(shape, rows[spec.name].shape[1:], strict=True)
        sizes |= {name: size for name, size in found if isinstance(name, str)}
    return sizes


def _integers_inside(domain: InputDomain, array: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    first, last = domain.integer_ends(sizes)
    return array if first is last is None else np.asarray(np.clip(array, first, last).astype(array.dtype))


def _floats_inside(domain: InputDomain, array: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    low, high = domain.ends(sizes)
    if np.isinf(low) and np.isinf(high):
        return array
    values, limits = array.astype(np.float64), np.finfo(array.dtype)
    if np.isinf(high) != np.isinf(low):
        values = low + np.abs(values - low) if np.isinf(high) else high - np.abs(values - high)
    inner = _INNER * (high - low if np.isfinite(high - low) else 1.0)
    values = np.where(values <= low, low + inner, values) if domain.above else values
    values = np.where(values >= high, high - inner, values) if domain.below else values
    inside = np.clip(values, max(low, float(limits.min)), min(high, float(limits.max))).astype(array.dtype)
    with np.errstate(over="ignore"):  # of a neighbour that is not taken
        inside = np.where(inside.astype(np.float64) < low, np.nextafter(inside, array.dtype.type(np.inf)), inside)
        return np.where(inside.astype(np.float64) > high, np.nextafter(inside, array.dtype.type(-np.inf)), inside)


def _normalized(array: NDArray[Any]) -> NDArray[Any]:
    values = array.astype(np.float64)
    norm = np.sqrt(np.square(values).sum(axis=-1, keepdims=True))
    first = np.zeros(array.shape)
    first[..., 0] = 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(norm > 0, values / norm, first).astype(array.dtype))
