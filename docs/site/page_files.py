"""Pages that are made from the code, as files in reStructuredText."""

from collections.abc import Iterable
from pathlib import Path


def heading(text: str, line: str = "=") -> str:
    """Return a heading; ``=`` underlines a page's, ``-`` a section's."""
    return f"{text}\n{line * len(text)}\n\n"


def toctree(names: Iterable[str], *, hidden: bool = False) -> str:
    """Return links to the pages of these names, which stand in the same folder."""
    options = "   :hidden:\n" if hidden else "   :maxdepth: 1\n"
    return f".. toctree::\n{options}\n" + "".join(f"   {name}\n" for name in names)


def write_pages(folder: Path, pages: dict[str, str]) -> None:
    """Make a folder hold these pages and no others; what has not changed keeps its time, and Sphinx its page."""
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        if file.name not in pages:
            file.unlink()
    for name, text in pages.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
