"""The probability from which on a row is positive, chosen for what a person wants of the predictions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.contract import binary_logit_threshold

_LARGEST_LOGIT = 30.0  # a probability farther from 0 or 1 could not be told from it

_Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """What a threshold is chosen for.

    >>> Goal.parse("recall=0.9")
    Goal(name='recall', figures=(0.9,))

    Attributes:
        name: ``f1``, ``recall``, ``precision`` or ``cost``.
        figures: the least recall or precision; the cost of a false alarm, and of a miss.
    """

    name: str
    figures: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """Read a goal as `TrainSettings.threshold_for` has it.

        Raises:
            InputError: it is none.
        """
        name, _, rest = text.partition("=")
        try:
            figures = tuple(float(part) for part in rest.split(",")) if rest else ()
        except ValueError:
            figures = (math.nan,)
        fits = {
            "f1": not figures,
            "recall": len(figures) == 1 and 0 < figures[0] <= 1,
            "precision": len(figures) == 1 and 0 < figures[0] <= 1,
            "cost": len(figures) == 2 and all(0 < figure < math.inf for figure in figures),
        }
        if not fits.get(name, False):
            raise InputError(
                f"{argument('threshold_for')} is {text!r}; it is f1, recall=0.9, precision=0.9, or cost=1,10: what a "
                "false alarm costs, and what a miss costs"
            )
        return cls(name, figures)

    def best(self, positive: NDArray[np.bool_], logits: NDArray[np.float32]) -> dict[str, Any]:
        """Return the threshold that serves the goal best on some rows.

        Args:
            positive: whether each row is, bool ``[rows]``; some are, and some are not.
            logits: of the positive class, float32 ``[rows]``.

        Returns:
            ``value``, a probability; ``goal``; ``reached``, whether the wanted recall or precision is; and what the
            rows say there: ``precision``, ``recall``, ``f1``.
        """
        values, place = np.unique(logits.astype(np.float64), return_inverse=True)
        counts = [np.bincount(place[positive], minlength=len(values)), np.bincount(place, minlength=len(values))]
        hits, rows = (np.append(np.cumsum(count[::-1])[::-1], 0).astype(np.float64) for count in counts)
        shares = _between(values)
        kept = np.searchsorted(values, (np.log(shares) - np.log1p(-shares)).astype(np.float32))
        chosen, reached = _CHOICES[self.name](_Figures(hits[kept], rows[kept], hits[0]), self.figures)
        value = float(shares[chosen])
        kept = np.searchsorted(values, [binary_logit_threshold(value)])  # as the package rounds it
        figures = _Figures(hits[kept], rows[kept], hits[0])
        found = {name: float(getattr(figures, name)[0]) for name in ("precision", "recall", "f1")}
        return {"goal": self.text, "value": value, "reached": bool(reached)} | found

    @property
    def text(self) -> str:
        """The goal as a person writes it."""
        figures = ",".join(repr(figure).removesuffix(".0") for figure in self.figures)
        return f"{self.name}={figures}" if figures else self.name


def _between(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a probability below each of some ascending logits, and above the one before it, where a float32 is there.

    Far from a half, where probabilities are too coarse to tell logits apart, some stand beside their place.
    """
    below = np.append(values[:1] - 1, values[:-1])
    middles = (below + values) / 2
    middles = np.where(middles.astype(np.float32) > below, middles, values)
    shares: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(middles, -_LARGEST_LOGIT, _LARGEST_LOGIT)))
    return shares


class _Figures:
    """What each threshold gives, the lowest first.

    Args:
        hits: positive rows at or above it.
        rows: all rows at or above it.
        positives: all positive rows.
    """

    def __init__(self, hits: _Counts, rows: _Counts, positives: float) -> None:
        self.precision, self.recall = hits / np.maximum(rows, 1), hits / positives
        self.f1 = 2 * hits / (rows + positives)
        self.alarms, self.misses = rows - hits, positives - hits


def _largest_f1(figures: _Figures, _said: tuple[float, ...]) -> tuple[int, bool]:
    return int(np.argmax(figures.f1)), True


def _smallest_cost(figures: _Figures, said: tuple[float, ...]) -> tuple[int, bool]:
    return int(np.argmin(said[0] * figures.alarms + said[1] * figures.misses)), True


def _with_recall(figures: _Figures, said: tuple[float, ...]) -> tuple[int, bool]:
    """Return the threshold of the largest precision among those that find enough; the lowest finds all."""
    enough = figures.recall >= said[0]
    return int(np.argmax(np.where(enough, figures.precision, -1))), True


def _with_precision(figures: _Figures, said: tuple[float, ...]) -> tuple[int, bool]:
    """Return the threshold of the largest recall among those that are precise enough, or the most precise one.

    Of those that find as many it is the highest, which raises fewest false alarms.
    """
    enough = figures.precision >= said[0]
    if not enough.any():
        return int(np.argmax(figures.precision)), False
    found = np.where(enough, figures.recall, -1)
    return len(found) - 1 - int(np.argmax(found[::-1])), True


_CHOICES: dict[str, Callable[[_Figures, tuple[float, ...]], tuple[int, bool]]] = {
    "f1": _largest_f1,
    "recall": _with_recall,
    "precision": _with_precision,
    "cost": _smallest_cost,
}
