"""Numbers as a person reads them."""

from typing import Any

_FEW_DIGITS = 1e-3  # a smaller number is written with an exponent
_MANY_DIGITS, _MOST_DIGITS = 1e6, 1e9  # up to the second one without an exponent: prices are read so


def short(value: Any) -> str:
    """Return a number with four digits or so; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if value == 0 or _FEW_DIGITS <= abs(value) < _MANY_DIGITS:
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.6g}"
    return f"{value:.0f}" if _MANY_DIGITS <= abs(value) < _MOST_DIGITS else f"{value:.3g}"


def percent(value: float) -> str:
    """Return a share in percent."""
    return f"{value:.2%}"
