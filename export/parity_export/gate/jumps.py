"""Which deviations are no rounding: beside a jump of the module an honest answer is another one altogether."""

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.probes import ADVERSARIAL, BOUNDARY, Probes

LEAST = 1e-3
"""Of a column's scale: what deviates by less is no jump."""

BEYOND = 1000.0
"""A jump deviates by more than this times what most values do."""

ROUNDED = BEYOND * 2.0**-24
"""Of a column's scale: what deviates by less may have lost its digits in a difference of float32 numbers."""

_MOST = 0.9  # of the values


def drawn(probes: Probes) -> NDArray[np.bool_]:
    """Return which rows ``[rows]`` no search brought to where they are.

    Bisection ends beside a jump where there is one, so that of the rows that it found most may lie at jumps: they say
    nothing of what rounding does.
    """
    return ~np.isin(probes.kinds, (BOUNDARY, ADVERSARIAL))


def jumps(
    relative: NDArray[np.float64], own: NDArray[np.float64], telling: NDArray[np.bool_], least: float = LEAST
) -> NDArray[np.bool_]:
    """Return which deviations are large where those of most drawn rows are a thousand times smaller.

    Where moved inputs jump in more than a tenth of the drawn rows as well (a floor of whole numbers), torch's own
    answers, whose inputs nobody moved, say what rounding does.

    Args:
        relative: the largest deviations of the honest evaluations, of the scale of their columns ``[values, columns]``.
        own: those of torch's own float32 answers, the same shape.
        telling: which values belong to drawn rows ``[values]``.
        least: what deviates by less is no jump.
    """
    usual = _usual(relative, telling)
    if usual > LEAST:
        usual = min(usual, _usual(own, telling))
    return np.asarray(relative > max(least, BEYOND * usual))


def _usual(relative: NDArray[np.float64], telling: NDArray[np.bool_]) -> float:
    told = relative[telling] if telling.any() else relative
    return float(np.quantile(told, _MOST)) if told.size else 0.0
