"""How every picture looks, and how it becomes a file: drawn without a display, the same bytes every time."""

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from parity_runtime.printable import printable

BLUE, ORANGE = "#1f77b4", "#ff7f0e"
"""Class 0 and class 1, or the first and the second of two things, everywhere."""

GREY = "#888888"
"""What others are compared with."""

CLASS_COLORS = (BLUE, ORANGE, "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
"""Classes by index, as far as they can be told apart."""

MORE_COLORS = (*CLASS_COLORS, "#17a2a2")
"""One more, for pictures of ten classes."""

_LONGEST_NAME = 24
_BEGINNING, _BEFORE = 6, 3  # characters of a name, and of what stands before that which differs
_LONGEST_OF_TWO = 34  # characters of a legend's line where there are two columns
_MOST_READ = 1000  # characters of a name
_DOTS_PER_INCH = 150

_UNTIL_STILL = 1  # k-means, until fewer pixels than this change their colour

_MOST_MOVED = 0.1
"""Of the pixels: flat colours and their edges move up to 3 % of them, by 4 of 255 at most, a gradient 43 %."""


def class_name(label: str | int) -> str:
    """Return a class's name as a picture shows it: in one printable line that is not too long.

    The middle of a long one is left out: names often begin alike, and end differently. Its dollars are not taken for
    mathematics.
    """
    text = printable(str(label)[:_MOST_READ])
    half = (_LONGEST_NAME - 3) // 2
    short = text if len(text) <= _LONGEST_NAME else f"{text[:half].rstrip()}...{text[-half:].lstrip()}"
    return short.replace("$", r"\$")


def class_names(labels: Sequence[str | int]) -> list[str]:
    """Return the name of each class, so that no two look the same.

    Of long names that begin and end alike the first characters and those from where they differ are shown; an index
    would be another one in each picture. It stands, from 0 on, where even these are alike.
    """
    texts = [str(label)[:_MOST_READ] for label in labels]
    groups: dict[str, list[str]] = {}
    for label, text in zip(labels, texts, strict=True):
        groups.setdefault(class_name(label), []).append(text)
    places = {text: _first_difference(alike) for alike in groups.values() if len(set(alike)) > 1 for text in alike}
    names = [
        _where_it_differs(text, places[text]) if text in places else class_name(label)
        for label, text in zip(labels, texts, strict=True)
    ]
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{name} [{index}]" for index, name in enumerate(names)]


def _first_difference(texts: Sequence[str]) -> int:
    """Return the first place at which some texts are not alike."""
    letters = enumerate(zip(*texts, strict=False))
    return next((place for place, found in letters if len(set(found)) > 1), min(map(len, texts)))


def _where_it_differs(text: str, place: int) -> str:
    """Return the beginning of a text, and what stands at a place of it."""
    start = max(place - _BEFORE, 0)
    rest = text[start : start + _LONGEST_NAME - _BEGINNING - 6]
    more = "..." if start + len(rest) < len(text) else ""
    return printable(f"{text[:_BEGINNING].rstrip()}...{rest.strip()}{more}").replace("$", r"\$")


def new_figure(width: float = 6, height: float = 5) -> tuple[Figure, Axes]:
    """Return an empty figure and its axes; inches."""
    figure = empty_figure(width, height)
    return figure, figure.add_subplot()


def empty_figure(width: float = 6, height: float = 5) -> Figure:
    """Return a figure without axes; inches."""
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def legend_below(figure: Figure, columns: int = 1) -> None:
    """Put a legend of all axes under them, where it hides nothing; long lines stand in one column."""
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    pairs = {label: handle for handles, labels in found for handle, label in zip(handles, labels, strict=True)}
    if max(map(len, pairs), default=0) > _LONGEST_OF_TWO:
        columns = 1
    figure.legend(
        [*pairs.values()], [*pairs], loc="outside lower center", ncols=columns, fontsize="small", frameon=False
    )


@contextmanager
def any_glyph() -> Iterator[None]:
    """Draw text in scripts that the font has not: it shows boxes, and that is nobody's mistake."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, without the software's name and version.

    A palette of 256 colours takes a third of the bytes of full colour, and is exact but for the rarest shades of
    edges. A gradient, most of whose pixels would move and show bands, keeps full colour.
    """
    canvas: Any = FigureCanvasAgg(figure)  # its methods are not typed
    with any_glyph():
        canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    few = picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=_UNTIL_STILL, dither=Image.Dither.NONE)
    moved = (np.asarray(few.convert("RGB")) != np.asarray(picture)).any(axis=2).mean()
    buffer = io.BytesIO()
    chosen = few if moved <= _MOST_MOVED else picture
    chosen.save(buffer, "png", optimize=True, dpi=(_DOTS_PER_INCH, _DOTS_PER_INCH))
    return buffer.getvalue()
