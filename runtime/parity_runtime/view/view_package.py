"""The page and one package, ready to be served."""

from pathlib import Path

from parity_runtime.package.manifest import MANIFEST, Package
from parity_runtime.view.page_files import page_files
from parity_runtime.view.view_server import PACKAGE, ViewServer


def view_server(path: Path, libraries: Path, *, port: int = 0, digest: str | None = None) -> ViewServer:
    """Return a server of the page that shows a package; it listens on 127.0.0.1, and serves once it is told to.

    The page itself checks every file of the package and replays its test vectors; of the folder, only what the manifest
    lists is served.

    Args:
        path: the package folder.
        libraries: the folder below which npm installed what the page loads.
        port: 0 takes a free one.
        digest: the package id that is expected; None takes any.

    Raises:
        InputError: there is no package, a library is missing, or the port cannot be listened on.
        FormatError: the manifest is malformed or newer than this version.
        DigestError: the package is not the one that ``digest`` names.
    """
    package = Package.open(path, digest)
    folder = path.absolute()
    files = {f"{PACKAGE}{name}": folder / name for name in (MANIFEST, *package.entries)}
    return ViewServer(port, page_files(libraries.absolute()) | files)
