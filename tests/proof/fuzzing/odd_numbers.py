"""Ordinary and odd numbers: for weights, and for inputs."""

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Random = np.random.Generator
Shape = tuple[int, ...]


def _powers(random: Random, shape: Shape) -> Array:
    return random.choice([-1.0, 1.0], shape) * 2.0 ** random.integers(-12, 13, shape)


def _near_ties(random: Random, shape: Shape) -> Array:
    """Numbers a few units above a power of two, whose sums and products fall between two floats."""
    return (1 + random.integers(0, 9, shape) * 2.0**-23) * _powers(random, shape)


def _cancelling(random: Random, shape: Shape) -> Array:
    """Pairs that nearly take one another away."""
    values = random.standard_normal(shape) * 100
    flat = values.reshape(-1)
    flat[1::2] = -flat[: 2 * (flat.size // 2) : 2] * (1 + 2.0**-20)
    return values


def _mixed(random: Random, shape: Shape) -> Array:
    return random.standard_normal(shape) * 10.0 ** random.uniform(-12, 12, shape)


def _sparse(random: Random, shape: Shape) -> Array:
    return random.standard_normal(shape) * (random.random(shape) < 0.3)


STYLES: dict[str, Callable[[Random, Shape], Array]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "uniform": lambda random, shape: random.uniform(-3, 3, shape),
    "tiny": lambda random, shape: random.standard_normal(shape) * 1e-30,
    "smallest": lambda random, shape: random.uniform(-4, 4, shape) * 2.0**-126,
    "huge": lambda random, shape: random.standard_normal(shape) * 1e15,
    "largest": lambda random, shape: random.uniform(-1, 1, shape) * 3.4e38,
    "subnormal": lambda random, shape: random.standard_normal(shape) * 1e-40,
    "powers of two": _powers,
    "near ties": _near_ties,
    "equal": lambda random, shape: np.full(shape, random.standard_normal()),
    "cancelling": _cancelling,
    "mixed": _mixed,
    "sparse": _sparse,
    "zeros": lambda random, shape: np.zeros(shape),
}

_ORDINARY = ("normal", "uniform", "near ties", "powers of two", "equal", "cancelling", "sparse")


def weights(random: Random, shape: Shape, *, odd: float = 0.06) -> Array:
    """Return float32 constants: ordinary ones, scaled to their number, or with some probability odd ones."""
    if random.random() < odd:
        return _float32(STYLES[random.choice(list(STYLES))](random, shape))
    fan_in = max(1, int(np.prod(shape[1:])))
    return _float32(STYLES[random.choice(_ORDINARY)](random, shape) / np.sqrt(fan_in))


def rows(random: Random, count: int, shape: Shape) -> Array:
    """Return float32 ``[count, *shape]``: each row of a style of its own, half of them ordinary."""
    found = np.empty((count, *shape), np.float32)
    for row in range(count):
        names = _ORDINARY if random.random() < 0.5 else list(STYLES)
        found[row] = _float32(STYLES[random.choice(names)](random, shape))
    return found


def _float32(array: Array) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        return np.clip(array, -3.4e38, 3.4e38).astype(np.float32)
