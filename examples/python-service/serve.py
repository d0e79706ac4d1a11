"""python serve.py PACKAGE: serve a package until SIGTERM."""

import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click
import uvicorn
from fastapi import FastAPI
from service import Limits, create_app

from parity_runtime import ParityError, Predictor, verify

_LAST_ANSWERS = 30  # seconds that requests in flight have when the service stops
_BACKLOG = 2048  # connections that wait to be taken


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `main` describes each."""

    host: str
    port: int
    digest: str | None
    certified: bool
    allow_operators: tuple[str, ...]
    threads: int
    max_rows: int
    max_bytes: int
    drain: float


class Server(uvicorn.Server):
    """A server that first says that it is not ready, then answers what is in flight, and exits with 0.

    uvicorn alone closes its socket at once: whoever balances the load would go on sending requests there.
    """

    def __init__(self, app: FastAPI, drain: float) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_LAST_ANSWERS)
        )
        self._app, self._drain = app, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; SIGINT, or a second signal, does not wait until the drain is over."""
        if self.should_exit:
            super().handle_exit(sig, frame)
        elif self._app.state.draining or sig == signal.SIGINT or not self._drain:
            self._app.state.draining = True
            self.should_exit = True
        else:
            self._app.state.draining = True
            timer = threading.Timer(self._drain, setattr, (self, "should_exit", True))
            timer.daemon = True
            timer.start()


@click.command(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.argument("package", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--digest", help="The package id that is expected.")
@click.option("--certified", is_flag=True, help="Answer with the certified graph: error bound, and certified.")
@click.option(
    "--allow-operator", "allow_operators", multiple=True, help="An operator outside the standard that may run."
)
@click.option("--threads", default=1, type=click.IntRange(1, 1024), help="Threads within an operator.")
@click.option("--max-rows", default=10_000, type=click.IntRange(1), help="The largest batch.")
@click.option("--max-bytes", default=2**20, type=click.IntRange(1), help="The largest body.")
@click.option("--drain", default=5.0, type=click.FloatRange(0), help="Seconds from SIGTERM until the socket is closed.")
def main(package: Path, **options: Any) -> None:
    """Serve PACKAGE by the Open Inference Protocol until SIGTERM.

    Every file is checked, and the test vectors are replayed, before it listens.
    """
    chosen = Options(**options)
    try:
        serve(package, chosen)
    except ParityError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{chosen.host}:{chosen.port}: {error.strerror}; choose another") from error


def serve(package: Path, options: Options) -> None:
    """Serve a package until a signal comes.

    Raises:
        ParityError: the package is not the one that was exported, or cannot be read.
        OSError: the address cannot be listened on.
    """
    verified = verify(package, digest=options.digest, allow_operators=options.allow_operators)
    # Pinned, so that what answers is what was verified, whatever happens to the folder in between.
    with Predictor(
        package,
        digest=verified.package_id,
        certified=options.certified,
        threads=options.threads,
        allow_operators=options.allow_operators,
    ) as predictor:
        app = create_app(predictor, Limits(rows=options.max_rows, bytes=options.max_bytes))
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=_BACKLOG)
        click.echo(f"{predictor.contract.name} ({verified.package_id}) on port {listener.getsockname()[1]}")
        Server(app, options.drain).run(sockets=[listener])


if __name__ == "__main__":
    main()
