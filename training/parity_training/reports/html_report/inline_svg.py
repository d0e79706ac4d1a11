"""A figure as SVG inside of a page: its colours and its font are the page's, in dark mode and in print."""

import io
import re

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from parity_training.reports.figures import GREY, MORE_COLORS, any_glyph

_SCALE = 0.8  # of a picture's size: text is larger beside it, and can be read on a phone
_WIDE = 6.5  # inches: a wider figure scrolls on a phone
_SALT = "parity"  # of the names within a file, which are drawn at random otherwise
_VARIABLES = {"#000000": "currentColor", GREY: "var(--muted)"} | {
    color: f"var(--c{index})" for index, color in enumerate(MORE_COLORS)
}
_FONT = re.compile(r"font: ((?:\w+ )*[0-9.]+px) [^;\"]*")
_ID = re.compile(r'(\bid="|url\(#|href="#)')
_COLOR = re.compile(r"#[0-9a-f]{6}")


def inline_svg(figure: Figure, name: str, told: str) -> Markup:
    """Return a figure as an element of HTML, the same text every time.

    Args:
        figure: as the pictures of a run draw it.
        name: of ASCII letters; no other figure of the page has it.
        told: what is seen there, for those who do not see it.
    """
    width, height = figure.get_size_inches()
    figure.set_size_inches(width * _SCALE, height * _SCALE)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": _SALT}), any_glyph():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    head, _, body = text.partition(">")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = _ID.sub(rf"\g<1>{name}-", body)
    body = _FONT.sub(r"font: \1 var(--font)", body)
    body = _COLOR.sub(lambda found: _VARIABLES.get(found[0], found[0]), body)
    (box,) = re.findall(r'viewBox="[0-9. ]+"', head)
    kind = "wide" if width > _WIDE else "plain"
    start = (
        f'<svg {box} class="{kind}" role="img" aria-label="{escape(told)}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return Markup(start + body.strip())  # noqa: S704 -- matplotlib has escaped the text, and the label is
