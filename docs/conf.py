"""The site: `make docs` builds it with Sphinx from these folders, strictly: a warning is an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "site"))

from commands import write_command_pages
from outside_links import link_to_the_site, write_repository_pages
from public_names import is_of_sklearn, sections_of_property, short_types, write_name_pages
from schema_pages import write_schema_pages
from sphinx.application import Sphinx

from parity_runtime import __version__

project = "Parity"
author = "the developers of Parity"
project_copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["site"]
default_role = "literal"  # docstrings put names between single backticks
source_suffix = {".md": "markdown", ".markdown": "markdown", ".rst": "restructuredtext"}

smartquotes_action = "D"  # dashes; quotes stay as they are
myst_heading_anchors = 4  # links name headings as GitHub does
autodoc_mock_imports = ["mlflow"]  # has an environment of its own: it wants another pyarrow
strip_signature_backslash = True  # napoleon escapes the last sign of names such as classes_, else it is lost
napoleon_use_ivar = True  # attributes of a docstring may be properties, which have entries of their own
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "__new__"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = f"Parity {release}"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def setup(app: Sphinx) -> None:
    """Write the pages that are made from the code, before Sphinx looks for pages."""
    reference = Path(app.srcdir) / "reference"
    write_name_pages(reference / "python")
    write_command_pages(reference / "commands")
    write_schema_pages(reference / "schemas")
    write_repository_pages()
    app.connect("source-read", link_to_the_site)
    app.connect("autodoc-skip-member", is_of_sklearn)
    app.connect("autodoc-process-docstring", sections_of_property, priority=400)  # before napoleon's 500
    app.connect("autodoc-process-signature", short_types)
