"""How every picture looks, and how it becomes a file: drawn without a display, the same bytes every time."""

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE = "#1f77b4", "#ff7f0e"
"""Class 0 and class 1, or the first and the second of two things, everywhere."""

GREY = "#888888"
"""What others are compared with."""

CLASS_COLORS = (BLUE, ORANGE, "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
"""Classes by index, as far as they can be told apart."""

_LONGEST_NAME = 24
_DOTS_PER_INCH = 150

_UNTIL_STILL = 1  # k-means, until fewer pixels than this change their colour

_MOST_MOVED = 0.1
"""Of the pixels: flat colours and their edges move up to 3 % of them, by 4 of 255 at most, a gradient 43 %."""


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
    """Return the figure as PNG, without the software's name and version.

    A palette of 256 colours takes a third of the bytes of full colour, and is exact but for the rarest shades of
    edges. A gradient, most of whose pixels would move and show bands, keeps full colour.
    """
    canvas: Any = FigureCanvasAgg(figure)  # its methods are not typed
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    few = picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=_UNTIL_STILL, dither=Image.Dither.NONE)
    moved = (np.asarray(few.convert("RGB")) != np.asarray(picture)).any(axis=2).mean()
    buffer = io.BytesIO()
    chosen = few if moved <= _MOST_MOVED else picture
    chosen.save(buffer, "png", optimize=True, dpi=(_DOTS_PER_INCH, _DOTS_PER_INCH))
    return buffer.getvalue()
