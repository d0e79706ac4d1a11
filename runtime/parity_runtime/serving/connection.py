"""A connection of uvicorn's that is cut off where its client sends its headers, or reads its answer, too slowly."""

import asyncio
from http import HTTPStatus
from typing import Any

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

from parity_runtime.serving.limits import Limits

_TOO_SLOW = (408, "the headers did not arrive in time")
_NO_HTTP = (400, "this is no request of HTTP/1.1")


class Connection(H11Protocol):
    """One client.

    Attributes:
        limits: of its headers and of how long it may leave an answer unread; set by a subclass.
    """

    limits = Limits()

    _headers: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect headers."""
        super().connection_made(transport)
        self._headers = self.loop.call_later(self.limits.header_seconds, self._cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._expect_nothing()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what has begun as headers has its time from there."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._expect_nothing()
        elif self._headers is None and not self.transport.is_closing():
            self._headers = self.loop.call_later(self.limits.header_seconds, self._cut_off)

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.stalled_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's signature
        """Refuse what is no HTTP."""
        self._refuse(*_NO_HTTP)

    def _expect_nothing(self) -> None:
        if self._headers is not None:
            self._headers.cancel()
            self._headers = None

    def _cut_off(self) -> None:
        self._headers = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._refuse(*_TOO_SLOW)

    def _refuse(self, status: int, text: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = orjson.dumps({"error": text})
            headers: list[Any] = [(b"content-type", b"application/json"), (b"connection", b"close")]
            headers.append((b"content-length", str(len(body)).encode()))
            start = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
            events = (start, h11.Data(data=body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        self.transport.close()


def connection_class(limits: Limits) -> type[Connection]:
    """Return the class of connections that keep some limits; uvicorn makes them itself."""
    return type("Connection", (Connection,), {"limits": limits})
