"""``parity serve``."""

import sys
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option, provider_option
from parity_runtime.cli.sectioned_help import SectionedCommand, section
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.serve_packages import ServeOptions, serve_packages

_EXAMPLES = """
    # Serve a package on this machine only
    parity serve packages/xor --port 8000
    # Serve two packages to other machines, with at most 256 rows a request
    parity serve packages/xor packages/homes --host 0.0.0.0 --max-rows 256
    # Also return the error bound of every prediction
    parity serve packages/xor --certified
"""
_http = section("HTTP")
_limits = section("Limits")


@click.command(cls=SectionedCommand, context_settings={"show_default": True}, examples=_EXAMPLES)
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...", type=click.Path(path_type=Path))
@click.option(
    "--certified", is_flag=True, help="Return the error bound of every prediction, and whether it is certified."
)
@_http("--host", default="127.0.0.1", help="The address to listen on; 0.0.0.0 accepts requests from every network.")
@_http("--port", default=8000, type=click.IntRange(0, 65535), help="The port to listen on; 0 takes a free one.")
@_http(
    "--drain", default=5, type=click.IntRange(0, 3600), help="Seconds after SIGTERM in which it still accepts requests."
)
@_http("--access-log/--no-access-log", default=True, help="Write one line of JSON to stderr for each response.")
@_limits("--max-rows", default=Limits().rows, type=click.IntRange(1), help="The largest number of rows in a request.")
@_limits("--max-bytes", default=Limits().bytes, type=click.IntRange(1), help="The largest body of a request, in bytes.")
@section("Where it runs")(
    "--threads", default=1, type=click.IntRange(1, 1024), help="Threads that onnxruntime uses within an operator."
)
@provider_option
@digest_option
@operators_option
def serve(packages: tuple[Path, ...], access_log: bool, max_rows: int, max_bytes: int, **options: Any) -> None:
    """Serve each PACKAGE over HTTP, with version 2 of the Open Inference Protocol, until SIGTERM.

    Before it listens, it verifies each package as parity verify does.
    """
    limits = Limits(rows=max_rows, bytes=max_bytes, held_bytes=max(Limits().held_bytes, 2 * max_bytes))
    told = access_log and sys.stderr is not None  # it is None where it was closed
    log = open(sys.stderr.fileno(), "wb", buffering=0, closefd=False) if told else None  # noqa: SIM115
    serve_packages(packages, ServeOptions(**options, limits=limits), echo_line, log)
