"""``parity view``."""

import contextlib
import threading
from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, package_argument
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.view.page_files import default_libraries
from parity_runtime.view.view_package import view_server

_EXAMPLES = """
# Open the page of a package in the browser
parity view packages/xor --open
# Serve the page at a port of your choice
parity view packages/xor --port 8080
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The port to listen on [default: a free one].")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--libraries",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder where npm installed onnxruntime-web and @noble/hashes.",
)
@digest_option
def view(package: Path, port: int, opens: bool, libraries: Path | None, digest: str | None) -> None:
    """Show a package on a page of this machine's browser, until Ctrl-C.

    The page runs the model in the browser. Only programs on this machine can open it: the address is 127.0.0.1.
    """
    libraries = libraries or default_libraries(Path(click.get_app_dir("parity")) / "view")
    with contextlib.suppress(KeyboardInterrupt), view_server(package, libraries, port=port, digest=digest) as server:
        echo_line(f"{package} is shown at {server.url} until Ctrl-C")
        if opens:
            _open_browser(server.url)
        server.serve_forever()


def _open_browser(url: str) -> None:
    """Open a page while it is served: a browser of the terminal, such as w3m, is waited for until it ends."""
    import webbrowser  # noqa: PLC0415 -- only where it is asked for

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
