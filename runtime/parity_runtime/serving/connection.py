"""A connection of uvicorn's that answers small requests at once, and bounds what a client may cost it."""

import asyncio
from contextlib import suppress
from typing import Protocol

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parity_runtime.serving.answer import Answer, refusal
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.request_head import check_head, origin_form, path_of, without_upgrade

LARGEST_AT_ONCE = 2**17
"""Bytes of a body that is answered at once; asyncio reads twice as many from a socket at a time."""

_FRAMES_A_BYTE = 8  # bytes around one of a body; a chunk of one byte has five
_TOO_SLOW = RequestError("the headers did not arrive in time", 408)
_NO_HTTP = RequestError("this is not a request of HTTP/1.1")


class Responder(Protocol):
    """Answers whole requests."""

    def at_once(self, scope: Scope, body: bytes) -> Answer | None:
        """Return an answer; None where it would take time, or ASGI is asked for it."""


class Connection(HttpToolsProtocol):
    """One client.

    A small request that arrives whole while nothing else waits here is answered where it is read: the task that ASGI
    needs for it costs more than a small model. Everything else goes through ASGI.

    Attributes:
        limits: of its heads, of what waits, and of how long it may leave an answer unread; set by a subclass.
        responder: who answers at once; set by a subclass.
    """

    limits = Limits()
    responder: Responder

    _timer: asyncio.TimerHandle | None = None  # until a head has arrived; of a refused client, until it is closed
    _stalled: asyncio.TimerHandle | None = None
    _idle: asyncio.TimerHandle | None = None  # after an answer at once, until the next request must have begun
    _idle_since = 0.0
    _in_head = _in_body = False
    _began = 0  # requests, among the bytes that are being read
    _head_and_framing = _body = 0  # bytes of the request so far
    _held: bytes | None = None  # the body of a request that may be answered at once
    _answered = False  # a request, by the bytes that are being read; the next takes its turn with others
    _refused: RequestError | None = None  # why nothing is read any more
    _told = False  # the client, why
    _dropped = 0  # bytes since then

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a head."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._expect_nothing()
        self._cancel_stalled()
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._refused is not None:
            self._drop(len(data))
            return
        self._unset_keepalive_if_required()
        known = int(not (self._in_head or self._in_body))  # requests that begin where all bytes belong to the last
        self._began, self._answered, before = 0, False, self._body
        try:
            self._feed(data)
            self._hand_over()  # what has not come whole
        except httptools.HttpParserError as error:
            self._refuse(_reason(error))
            return
        if self._began <= known:  # else how much of it belongs to the last is not known, and is little
            self._head_and_framing += len(data) - (self._body - before if not self._began else self._body)
        if self._head_and_framing > self.limits.head_bytes + _FRAMES_A_BYTE * self._body:
            self._refuse(self._too_long())
            return
        if self._in_head or self._is_idle():
            self._expect_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        self._began += 1
        self._head_and_framing = self._body = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are read and dropped."""
        if self._in_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Check the head, and begin to answer."""
        self._in_head = False
        self._expect_nothing()
        if self.parser.get_method() == b"CONNECT" or self.transport.is_closing():
            raise _NO_HTTP
        if self.parser.should_upgrade():
            return  # it is read once more, without that wish
        check_head(self.url, self.headers, self.parser.get_http_version(), self.limits)
        if len(self.pipeline) >= self.limits.waiting:
            raise RequestError(f"more than {self.limits.waiting} requests wait here for their responses")
        self.url = origin_form(self.url)
        if self._may_be_answered_at_once():
            self._held = b""
        else:
            super().on_headers_complete()
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body += len(body)
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        """Answer at once, or let ASGI do it."""
        if not self._in_body:  # it is read once more
            return
        answer = None if self._held is None else self.responder.at_once(self._scope(), self._held)
        if answer is None:
            self._hand_over()
            super().on_message_complete()
        else:
            self._held, self._answered = None, True
            self._answer(answer)
        self._in_body = False

    def on_response_complete(self) -> None:
        """Go on with what waits, or close."""
        was_last = not self.pipeline
        super().on_response_complete()
        self._see_it_read()
        if self._refused is not None and was_last:
            self._tell(self._refused)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing more came."""
        super().timeout_keep_alive_handler()
        self._see_it_read()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._cancel_stalled()

    def _feed(self, data: bytes) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes what follows for another protocol, a body included. This server speaks none: the
                # request is read once more, without that wish.
                head = without_upgrade(self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers)
                self.parser = httptools.HttpRequestParser(self)
                data = head + data[upgrade.args[0] :]
            else:
                return

    def _may_be_answered_at_once(self) -> bool:
        if self._answered or self._waits() or self.expect_100_continue or self.flow.write_paused:
            return False
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        return 0 < len(length) < 8 and int(length) <= LARGEST_AT_ONCE

    def _scope(self) -> Scope:
        """Return what ASGI says of a request, as far as an answer at once needs it."""
        return {**self.scope, **path_of(self.url), "method": self.parser.get_method().decode("ascii")}

    def _hand_over(self) -> None:
        """Let ASGI answer a request that was held."""
        if self._held is not None:
            body, self._held = self._held, None
            super().on_headers_complete()
            super().on_body(body)

    def _answer(self, answer: Answer) -> None:
        keeps = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive() and not answer.closes
        self.transport.write(answer.encoded(self.server_state.default_headers, closes=not keeps))
        if not keeps:
            self.transport.close()
            self._see_it_read()
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if self._idle is None:
            self._idle = self.loop.call_later(self.timeout_keep_alive, self._close_idle)

    def _close_idle(self) -> None:
        """Close a connection on which nothing more came; a timer for each answer would cost more than it is worth."""
        self._idle = None
        if self._in_head or self._in_body or self._waits() or self.timeout_keep_alive_task:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle = self.loop.call_later(left, self._close_idle)
        elif self._refused is None:
            self.timeout_keep_alive_handler()

    def _waits(self) -> bool:
        """Whether a request waits for its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_idle(self) -> bool:
        return not (self._in_body or self._waits() or self._idle or self.timeout_keep_alive_task)

    def _expect_head(self) -> None:
        if self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(self.limits.header_seconds, self._cut_off)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # it may have sent the rest, which nobody has read yet
            self._expect_head()
        else:
            self._refuse(_TOO_SLOW)

    def _too_long(self) -> RequestError:
        if self._in_head:
            return RequestError(f"the head has more than {self.limits.head_bytes} bytes", 431)
        return RequestError("the chunk headers and trailers of the body are longer than its data")

    def _refuse(self, error: RequestError) -> None:
        """Answer what came before, then refuse what came last, and read nothing more."""
        self._refused, self._held = error, None
        self._expect_nothing()
        if self._in_body and self._waits():  # its own application waits for its body
            if self.pipeline:
                self.pipeline.popleft()  # it has not begun
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        elif self._waits():
            return
        self._tell(error)

    def _tell(self, error: RequestError) -> None:
        """Send the refusal; a connection that is closed on unread bytes is reset, and its client never sees it."""
        if self._told or self.transport.is_closing():
            return
        self._told = True
        self.transport.write(refusal(error).encoded(self.server_state.default_headers, closes=True))
        with suppress(OSError):  # the client is gone
            self.transport.write_eof()
        self.flow.resume_reading()
        self._unset_keepalive_if_required()
        self._timer = self.loop.call_later(self.limits.dropped_seconds, self.transport.abort)

    def _drop(self, count: int) -> None:
        self._dropped += count
        if self._dropped > self.limits.dropped_bytes:
            self.transport.abort()

    def _see_it_read(self) -> None:
        """Give a client some time to read the last answer; a socket is closed only when all of it is read."""
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._await_reader()

    def _await_reader(self) -> None:
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.limits.stalled_seconds, self.transport.abort)

    def _cancel_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def connection_class(limits: Limits, responder: Responder) -> type[Connection]:
    """Return the class of connections that keep some limits; uvicorn makes them itself."""
    return type("Connection", (Connection,), {"limits": limits, "responder": responder})


def _reason(error: BaseException) -> RequestError:
    """Return why a request was refused: by a callback of ours, or by the parser."""
    return error.__context__ if isinstance(error.__context__, RequestError) else _NO_HTTP
