"""How a picture becomes a file."""

import io

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from parity_training.reports.figures import BLUE, ORANGE, new_figure, png


def scattered(colors: tuple[str, ...]) -> Figure:
    figure, axes = new_figure()
    random = np.random.default_rng(0)
    for color in colors:
        axes.scatter(*random.normal(size=(2, 200)), s=14, color=color, alpha=0.6, label=color)
    axes.plot([-1, 1], [-1, 1], color=ORANGE)
    axes.set_title("Errors")
    axes.legend()
    return figure


def in_full_colour(figure: Figure) -> tuple[int, NDArray[np.int64]]:
    """The size and the pixels, ``[height, width, 3]``, of what matplotlib itself writes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return len(buffer.getvalue()), pixels(buffer.getvalue())


def pixels(data: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.int64)


def test_a_palette_takes_half_of_the_bytes_and_nobody_sees_it() -> None:
    for colors in ((BLUE,), (BLUE, ORANGE)):
        size, expected = in_full_colour(scattered(colors))
        found = png(scattered(colors))
        assert Image.open(io.BytesIO(found)).mode == "P"
        assert len(found) < size / 2
        distance = np.abs(pixels(found) - expected).max(axis=2)
        assert distance.max() <= 8 and (distance > 0).mean() < 0.1


def shaded() -> Figure:
    figure, axes = new_figure()
    figure.colorbar(axes.imshow(np.add.outer(np.linspace(0, 1, 300), np.linspace(0, 1, 300)), cmap="coolwarm"))
    return figure


def test_a_gradient_keeps_its_colours() -> None:
    found = png(shaded())
    assert Image.open(io.BytesIO(found)).mode == "RGB"
    _, expected = in_full_colour(shaded())
    assert np.array_equal(pixels(found), expected)


def test_a_picture_names_no_software_and_is_the_same_every_time() -> None:
    first = png(scattered((BLUE,)))
    assert first == png(scattered((BLUE,)))
    assert set(Image.open(io.BytesIO(first)).info) == {"dpi"}
