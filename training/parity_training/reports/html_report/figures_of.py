"""Numbers of evaluation.json on a page: each says where it is from, and stands there to its last digit."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from parity_training.reports.number_text import short

Figure = Callable[..., Markup]


def figure_of(evaluation: dict[str, Any]) -> Figure:
    """Return what writes a number of an evaluation by its path: ``figure("importance", "features", 0, "mean")``.

    The page has the path as a JSON pointer (RFC 6901).
    """

    def figure(*path: str | int) -> Markup:
        value: Any = evaluation
        for step in path:
            value = value[step]
        if value is None:
            return Markup("-")
        where = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
        return Markup('<data value="{}" data-path="{}">{}</data>').format(repr(value), where, short(value))

    return figure
