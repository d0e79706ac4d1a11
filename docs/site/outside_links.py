"""The repository's own pages on the site, and links to its files that are no pages of the site."""

import re
from pathlib import Path

from page_files import write_pages
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs"
PAGES = {
    "SECURITY.md": "reference/repository/security.markdown",
    "CHANGELOG.md": "reference/repository/changelog.markdown",
    "CONTRIBUTING.md": "reference/repository/contributing.markdown",
    "runtime/parity_runtime/schemas": "reference/schemas/index.rst",
}
"""What stands in the repository, and the page that shows it."""

_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def write_repository_pages() -> None:
    """Write a page for each file of the repository that the site shows."""
    found = {Path(page).name: ROOT / file for file, page in PAGES.items() if page.endswith(".markdown")}
    pages = {name: with_links(file.read_text(encoding="utf-8"), ROOT) for name, file in found.items()}
    write_pages(SITE / "reference" / "repository", pages)


def link_to_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """Lead a page's links to files outside the site to their page there, or name the file.

    Args:
        app: Sphinx.
        page: its name, without suffix.
        source: its one element is the page's text, and is replaced.
    """
    if Path(app.env.doc2path(page)).suffix == ".md":
        source[0] = with_links(source[0], (SITE / page).parent)


def with_links(text: str, folder: Path) -> str:
    """Return Markdown whose links into the repository lead to pages of the site.

    Args:
        text: Markdown.
        folder: which the links are relative to.
    """

    def linked(match: re.Match[str]) -> str:
        path = (folder / match[2]).resolve()
        if "://" in match[2] or not path.is_relative_to(ROOT):
            return match[0]
        inside = path.relative_to(SITE) if path.is_relative_to(SITE) else PAGES.get(str(path.relative_to(ROOT)))
        if inside is None:
            return f"{match[1]} (`{path.relative_to(ROOT)}` in the repository)"
        return f"[{match[1]}](/{inside}{match[3] or ''})"

    return _LINK.sub(linked, text)
