"""Requests as they come over the wire: in pieces, one behind another, ambiguous, or framed by more than they hold."""

import json
import re
import shutil
import socket
import subprocess

import pytest

from tests.serving.conftest import POST, answered, body, post, talk

pytestmark = pytest.mark.slow

CLOSE = b"Connection: close"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def chunks(content: bytes, size: int, extension: bytes = b"") -> bytes:
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)


def test_a_request_in_any_pieces_is_answered_alike(port: int) -> None:
    whole = post(body(), CLOSE)
    expected = json.loads(talk(port, whole).partition(b"\r\n\r\n")[2])
    for size in (1, 7, len(whole) - len(body()), len(whole) - 1):
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        found = talk(port, *pieces, pause=0.0005)
        assert json.loads(found.partition(b"\r\n\r\n")[2]) == expected


def test_answers_come_in_the_order_of_their_requests(port: int) -> None:
    """Answered where they are read, by FastAPI, by a thread, refused: each after the one before."""
    deflated = post(b"x", b"Content-Encoding: deflate")
    none, server = (b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"/v2/none", b"/v2"))
    requests = (post(body()), none, post(body()), deflated, post(body()), server, b"no http\r\n\r\n", post(body()))
    found = talk(port, b"".join(requests))
    assert statuses(found) == [200, 404, 200, 400, 200, 200, 400]
    assert b"not a request of HTTP/1.1" in found


def test_a_body_that_breaks_off_is_refused_after_the_answers_before_it(port: int) -> None:
    for broken in (b"1\r\nx", b"10000\r\n" + b" " * 65536):  # the second stops the reading for a while
        found = talk(port, post(body()) * 3 + CHUNKED + broken + b"\r\nno chunk")
        assert statuses(found) == [200, 200, 200, 400], found
    assert statuses(talk(port, CHUNKED + b"1\r\nx", b"\r\nno chunk", pause=0.1)) == [400]


def test_no_more_requests_wait_on_one_connection_than_the_limit_says(port: int) -> None:
    found = statuses(talk(port, b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n" * 1000))
    assert found == [200] * 21 + [400]


def test_a_connection_is_kept_unless_the_client_or_http_1_0_says_otherwise(port: int) -> None:
    request = post(body())
    old = request.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(talk(port, request, post(body(), CLOSE), pause=0.1)) == [200, 200]
    found = talk(port, old)
    assert statuses(found) == [200] and b"connection: close" in found
    assert statuses(talk(port, post(body(), CLOSE) + request)) == [200]


@pytest.mark.parametrize("lines", [
    (b"Content-Length: 4", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 4"),
    (b"Content-Length: 4", b"Content-Length: 5"),
    (b"Content-Length: 4, 4",),
    (b"Content-Length: +4",),
    (b"Content-Length: 4_0",),
    (b"Content-Length: 99999999999999999999",),
    (b"Transfer-Encoding: gzip, chunked",),
    (b"Transfer-Encoding: xchunked",),
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    (b"Transfer-Encoding : chunked",),
    (b"Transfer-Encoding:\x0bchunked",),
    (b"X: a\r\n Transfer-Encoding: chunked",),
    (b"X: a\nContent-Length: 4",),
    (b"X: a\rContent-Length: 4",),
    (b"X: a\0",),
    (b"Host: b",),
])  # fmt: skip
def test_what_two_servers_may_read_differently_is_refused_and_ends_the_connection(
    port: int, lines: tuple[bytes, ...]
) -> None:
    smuggled = b"0\r\n\r\nGET /v2 HTTP/1.1\r\nHost: a\r\n\r\n"
    found = talk(port, POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + smuggled)
    assert statuses(found) == [400]
    assert answered(port)


@pytest.mark.parametrize("request_", [
    b"GET /v2 HTTP/1.1\r\n\r\n",
    POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"CONNECT /v2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://h:99999999/v2 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    CHUNKED + b"1\nx\n0\n\n",
    CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    CHUNKED + b"1 \r\nx\r\n0\r\n\r\n",
    CHUNKED + b"fffffffffffffffff\r\nx",
    CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
])  # fmt: skip
def test_what_is_no_http_is_refused(port: int, request_: bytes) -> None:
    assert statuses(talk(port, request_)) == [400]
    assert answered(port)


@pytest.mark.parametrize("target", [b"http://host:1/v2?x=1", b"HTTP://host/v2", b"/v2", b"/%762"])
def test_the_forms_of_a_target(port: int, target: bytes) -> None:
    found = talk(port, b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
    assert statuses(found) == [200] and b"binary_tensor_data" in found


@pytest.mark.parametrize(("request_", "status"), [
    (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    (b"GET http://host HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
    (post(body(), CLOSE).replace(b" /v2", b" http://host/v2"), 200),
])  # fmt: skip
def test_targets_without_a_path_and_of_a_proxys_client(port: int, request_: bytes, status: int) -> None:
    assert statuses(talk(port, request_)) == [status]


def test_heads_that_never_end(port: int) -> None:
    for endless in (b"GET /" + b"a" * 300_000, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000,
                    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 50_000):  # fmt: skip
        assert statuses(talk(port, endless)) == [431]
    long = b"X: " + b"a" * 65_000
    assert statuses(talk(port, post(body(), long, CLOSE))) == [200]
    assert statuses(talk(port, post(body(), long, long, CLOSE))) == [431]
    piece = b"X: " + b"a" * 20_000 + b"\r\n"
    assert statuses(talk(port, POST, *[piece] * 5, pause=0.02)) == [431]


def test_chunks_with_extensions_and_trailers_up_to_a_limit(port: int) -> None:
    request = POST + CLOSE + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"0\r\nContent-Type: text/xml\r\nX-Request-Id: smuggled\r\n\r\n"
    for size, extension in ((1, b""), (50, b';a="b"'), (10_000, b";a")):
        found = talk(port, request + chunks(body(), size, extension) + trailers)
        assert statuses(found) == [200] and b"smuggled" not in found
    for endless in (b"1;" + b"a" * 400_000, b"1\r\n \r\n" + b"0\r\nX: " + b"a" * 400_000,
                    b"0\r\n" + b"X: a\r\n" * 80_000, b"1;" + b"a" * 30_000 + b"\r\n \r\n"):  # fmt: skip
        pieces = [endless[start : start + 50_000] for start in range(0, len(endless), 50_000)]
        assert statuses(talk(port, CHUNKED, *(pieces if len(pieces) > 1 else pieces * 5), pause=0.01)) == [400]
    assert answered(port)


def test_an_upgrade_is_not_made_and_the_request_is_answered(port: int) -> None:
    """Java's client asks for HTTP/2 so, and sends the body of its request at once."""
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    found = talk(port, post(body(), *upgrade) + post(body(), *upgrade), post(body(), CLOSE), pause=0.1)
    assert statuses(found) == [200, 200, 200]
    head, _, content = post(body(), *upgrade, b"Upgrade: websocket").partition(b"\r\n\r\n")
    assert statuses(talk(port, head + b"\r\n\r\n", content, post(body(), CLOSE), pause=0.1)) == [200, 200]
    if shutil.which("curl"):
        url = f"http://127.0.0.1:{port}/v2/models/xor/infer"
        done = subprocess.run(["curl", "-sS", "--http2", url, "-d", body().decode()], capture_output=True, check=True)
        assert json.loads(done.stdout)["outputs"][0]["data"] == [1, 0]


def test_a_body_that_no_path_reads_is_dropped_before_the_answer(port: int) -> None:
    get = b"GET /v2 HTTP/1.1\r\nHost: a\r\n"
    found = talk(port, get + b"Content-Length: 100000\r\n\r\n" + b" " * 100_000 + get + CLOSE + b"\r\n\r\n")
    assert statuses(found) == [200, 200]
    found = talk(port, get + b"Content-Length: 100000\r\n\r\n ")
    assert statuses(found) == [200] and b"connection: close" in found


def test_who_asks_first_whether_to_send_a_body_is_told_to(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        head, _, content = post(body(), CLOSE, b"Expect: 100-continue").partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(content)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
