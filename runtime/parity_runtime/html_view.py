"""What an object shows in a notebook: HTML in which every text is escaped, for light and for dark pages."""

import html
from collections.abc import Iterable, Sequence

from parity_runtime.printable import printable

_LONGEST = 200  # characters of one cell

_STYLE = """
.parity-view { max-width: 60em; line-height: 1.4; }
.parity-view .title { font-weight: 600; margin: 0.3em 0; }
.parity-view p { margin: 0.3em 0; }
.parity-view table { border-collapse: collapse; margin: 0.4em 0; font-size: inherit; }
.parity-view th, .parity-view td { border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35); background: none;
  color: inherit; padding: 0.2em 0.9em 0.2em 0; text-align: left; vertical-align: top; white-space: normal;
  overflow-wrap: anywhere; }
.parity-view th { font-weight: 600; }
.parity-view .figures { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0.6em; margin: 0.4em 0; }
.parity-view .figures img { width: 18em; max-width: 100%; height: auto; margin: 0; border-radius: 4px; }
"""
"""No colour of its own: those of the page, whether it is light or dark."""


def view(title: str, *parts: str) -> str:
    """Return the HTML of an object.

    Args:
        title: a text.
        parts: HTML, of the functions below.
    """
    return (
        f'<div class="parity-view"><style>{_STYLE}</style><div class="title">{text(title)}</div>{"".join(parts)}</div>'
    )


def text(value: object) -> str:
    """Return a text as HTML: what does not print and what HTML would obey is escaped, and a long one is cut."""
    told = str(value)
    return html.escape(printable(told if len(told) <= _LONGEST else f"{told[:_LONGEST]}..."))


def paragraph(value: str) -> str:
    """Return a text as a paragraph of its own."""
    return f"<p>{text(value)}</p>"


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names and what stands behind each as a table without a head."""
    rows = (f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in pairs)
    return f"<table>{''.join(rows)}</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table."""
    names = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    lines = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>"


def pictures(found: Iterable[tuple[str, str]]) -> str:
    """Return pictures side by side.

    Args:
        found: what each shows, and its data URI.
    """
    shown = "".join(f'<img alt="{text(name)}" title="{text(name)}" src="{html.escape(uri)}">' for name, uri in found)
    return f'<div class="figures">{shown}</div>' if shown else ""
