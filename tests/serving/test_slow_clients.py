"""Clients that send or read slowly: each is cut off, and the others are answered. The server runs in this process."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from parity_runtime.serving.create_app import Service
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.serving.server import Server
from tests.serving.conftest import body

pytestmark = pytest.mark.slow

LIMITS = Limits(bytes=2**20, seconds=0.5, held_bytes=2**20, dropped_bytes=2**21, dropped_seconds=0.5,
                header_seconds=0.4, stalled_seconds=0.4)  # fmt: skip
POST = b"POST /v2/models/xor/infer HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def port(xor: ServedModel) -> Iterator[int]:
    service = Service([xor], LIMITS, 1)
    server = Server(service.app, LIMITS, 0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(30)


def talk(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Send pieces with pauses, then read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def answered(port: int) -> bool:
    request = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body()) + body()
    return talk(port, request).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("pieces", [(), (b"GET /v2 HT",), (b"GET /v2 HTTP/1.1\r\n", b"X: y\r\n", b"Y: z\r\n")])
def test_headers_that_come_slowly_are_cut_off(port: int, pieces: tuple[bytes, ...]) -> None:
    started = time.monotonic()
    found = talk(port, *pieces, pause=0.1)
    assert found.startswith(b"HTTP/1.1 408 ") and time.monotonic() - started < 15
    assert answered(port)


def test_a_second_request_has_as_long_for_its_headers(port: int) -> None:
    found = talk(port, b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /v2 HT", pause=0.2)
    assert found.startswith(b"HTTP/1.1 200 ") and b"HTTP/1.1 408 " in found


def test_a_body_that_comes_slowly_is_refused(port: int) -> None:
    found = talk(port, POST + b"Content-Length: 100\r\n\r\n{", b" ")
    assert found.startswith(b"HTTP/1.1 408 ") and b"did not arrive within 0.5 seconds" in found
    assert answered(port)


def test_a_refused_body_that_never_ends_is_dropped_no_longer_than_a_while(port: int) -> None:
    found = talk(port, POST + b"Content-Length: 100000000\r\n\r\n{", b" ")
    assert found.startswith(b"HTTP/1.1 413 ") and b"connection: close" in found


def test_bodies_are_refused_where_others_take_all_the_room(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(POST + b"Content-Length: 1048576\r\n\r\n" + b" " * 1_000_000)
        time.sleep(0.2)
        large = POST + b"Connection: close\r\nContent-Length: 100000\r\n\r\n" + b" " * 100_000
        refused = talk(port, large)
        assert answered(port)
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    assert refused.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in refused
    assert b"400" in talk(port, large)[:20]  # the room is free again


def test_a_client_that_does_not_read_its_answers_is_cut_off(port: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        with pytest.raises(OSError, match="reset|Broken pipe"):
            while True:
                connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
    assert answered(port)
