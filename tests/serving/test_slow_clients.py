"""Clients that send or read slowly: each is cut off, and the others are answered. The server runs in this process."""

import socket
import time

import pytest

from tests.serving.conftest import POST, answered, post, talk

pytestmark = pytest.mark.slow


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
        large = post(b" " * 100_000, b"Connection: close")
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


def test_a_client_that_does_not_read_its_last_answer_is_cut_off(port: int) -> None:
    """A socket that is closed waits until all of it is read, and what fits asyncio's buffer pauses nobody."""
    get = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n"
    request = 4 * (get + b"\r\n") + get + b"Connection: close\r\n\r\n"
    whole = talk(port, request)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
        time.sleep(1.5)
        found = b""
        while piece := connection.recv(4096):
            found += piece
    assert len(found) < len(whole)
    assert answered(port)


@pytest.mark.parametrize("piece", [b"\r\n", b"G"])
def test_a_connection_that_is_kept_has_no_longer_for_its_next_head(port: int, piece: bytes) -> None:
    """Neither after an answer of the event loop nor after one of a thread does a byte now and then hold it open."""
    for first in (post(b"{}"), b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(first)
            until = time.monotonic() + 15
            with pytest.raises(OSError, match="reset|Broken pipe"):
                while time.monotonic() < until:
                    connection.sendall(piece)
                    time.sleep(0.3)
