"""How every picture looks, and how it becomes a file: drawn without a display, the same bytes every time."""

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE = "#1f77b4", "#ff7f0e"
"""Class 0 and class 1, or the first and the second of two things, everywhere."""

GREY = "#888888"
"""What others are compared with."""

CLASS_COLORS = (BLUE, ORANGE, "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
"""Classes by index, as far as they can be told apart."""

_LONGEST_NAME = 24
_DOTS_PER_INCH = 150


def class_name(label: str | int) -> str:
    """Return a class's name as a picture shows it: not too long, and its dollars not taken for mathematics."""
    text = str(label)
    short = text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."
    return short.replace("$", r"\$")


def new_figure() -> tuple[Figure, Axes]:
    """Return an empty figure of 6 x 5 inches and its axes."""
    figure = Figure(figsize=(6, 5), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, without the software's name and version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
