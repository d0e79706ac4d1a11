"""The files that the page may load: its own, the reader's, and of two JavaScript libraries what it needs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parity_runtime.errors import InputError
from parity_runtime.view.npm_command import npm_command

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[2]
_PAGE_SUFFIXES = {".html", ".css", ".mjs"}


def page_files(libraries: Path) -> dict[str, Path]:
    """Return every file of the page, by the path of its URL.

    Args:
        libraries: the folder below which npm installed onnxruntime-web and @noble/hashes.

    Raises:
        InputError: a library is missing there, or has another version than the one that the page was tested with.
    """
    page, reader = _folder("page", "examples/browser"), _folder("reader", "examples/reader")
    files = {f"/{path.name}": path for path in page.iterdir() if path.suffix in _PAGE_SUFFIXES}
    files["/"] = files["/index.html"]
    files |= {f"/vendor/parity-reader/{path.name}": path for path in reader.iterdir() if path.suffix == ".mjs"}
    copied: dict[str, dict[str, str]] = _json(page / "vendor.json")
    _check_versions(libraries, copied, _json(page / "package.json")["dependencies"])
    for library, paths in copied.items():
        folder = libraries / "node_modules" / library
        files |= {f"/vendor/{to}": folder / source for source, to in paths.items()}
    return files


def default_libraries(fallback: Path) -> Path:
    """Return the examples' folder of a checkout whose npm workspace is installed, or else a folder of the user's."""
    examples = _CHECKOUT / "examples"
    return examples if (examples / "node_modules").is_dir() else fallback


def _folder(packaged: str, checkout: str) -> Path:
    """Return a folder of JavaScript: in a wheel beside this module, in a checkout among the examples."""
    beside = _HERE / packaged
    return beside if beside.is_dir() else _CHECKOUT / checkout


def _check_versions(libraries: Path, names: Iterable[str], pinned: dict[str, str]) -> None:
    versions = {name: pinned[name] for name in names}
    for name, version in versions.items():
        try:
            found = _json(libraries / "node_modules" / name / "package.json")["version"]
        except (OSError, ValueError, KeyError, TypeError):
            found = None
        if found != version:
            state = "is not installed" if found is None else f"has the version {found}"
            raise InputError(
                f"the page needs {name} {version}, which {state} below {libraries}; "
                f"install it once: {npm_command(libraries, versions)}"
            )


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
