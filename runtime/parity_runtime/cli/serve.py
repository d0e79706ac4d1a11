"""``parity serve``."""

import sys
from pathlib import Path
from typing import Any

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option, provider_option
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.serve_packages import ServeOptions, serve_packages


@click.command(context_settings={"show_default": True})
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE...", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", help="The address to listen on; 0.0.0.0 takes requests of anybody.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--certified", is_flag=True, help="Answer with the certified graphs: error bound, and certified.")
@click.option("--threads", default=1, type=click.IntRange(1, 1024), help="Threads within an operator.")
@click.option("--max-rows", default=Limits().rows, type=click.IntRange(1), help="The largest batch.")
@click.option("--max-bytes", default=Limits().bytes, type=click.IntRange(1), help="The largest body.")
@click.option(
    "--drain", default=5, type=click.IntRange(0, 3600), help="Seconds from SIGTERM until the socket is closed."
)
@click.option("--access-log/--no-access-log", default=True, help="A line of JSON on stderr for each answer.")
@provider_option
@digest_option
@operators_option
def serve(packages: tuple[Path, ...], access_log: bool, max_rows: int, max_bytes: int, **options: Any) -> None:
    """Serve packages over HTTP by the Open Inference Protocol (version 2), until SIGTERM.

    Every file is checked, and the test vectors are replayed, before it listens.
    """
    limits = Limits(rows=max_rows, bytes=max_bytes, held_bytes=max(Limits().held_bytes, 2 * max_bytes))
    told = access_log and sys.stderr is not None  # it is None where it was closed
    log = open(sys.stderr.fileno(), "wb", buffering=0, closefd=False) if told else None  # noqa: SIM115
    serve_packages(packages, ServeOptions(**options, limits=limits), echo_line, log)
