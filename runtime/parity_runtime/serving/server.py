"""A server of uvicorn's that stops so that a balancer loses nothing."""

import signal
import threading
from types import FrameType

import uvicorn

from parity_runtime.serving.connection import connection_class
from parity_runtime.serving.exchange import Exchanges
from parity_runtime.serving.limits import Limits

_LAST_ANSWERS = 30  # seconds that requests in flight have when the service stops


class Server(uvicorn.Server):
    """A server that first says that it is not ready, then answers what is in flight, and returns.

    uvicorn alone closes its socket at once: whoever balances the load would go on sending requests there.

    Args:
        app: what answers.
        limits: of connections.
        drain: seconds from SIGTERM until the socket is closed.
    """

    def __init__(self, app: Exchanges, limits: Limits, drain: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connection_class(limits),
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_LAST_ANSWERS,
            )
        )
        self._app, self._drain = app, drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Begin to stop; SIGINT, or a second signal, does not wait until the drain is over."""
        if self.should_exit:
            self.force_exit = True
        elif self._app.draining or sig == signal.SIGINT or not self._drain:
            self._app.draining = True
            self.should_exit = True
        else:
            self._app.draining = True
            timer = threading.Timer(self._drain, setattr, (self, "should_exit", True))
            timer.daemon = True
            timer.start()
