"""Bodies that are compressed: gzip and deflate, never inflated to more than a limit."""

import gzip
import io
import zlib

from parity_runtime.serving.request_error import RequestError

_GZIP = ("gzip", "x-gzip")
_MEMBER = b"\x1f\x8b\x08"  # begins each; a body may have several, one behind the other (RFC 1952, 2.2)
_MOST_MEMBERS = 1000  # each costs some microseconds, however small it is
_LEVEL = 1  # the lowest: a server's processor is dearer than the wire
SMALLEST = 4096
"""Bytes of an answer from which on it is compressed for clients that ask for it."""


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """Return a body without its content coding.

    >>> import gzip
    >>> inflate(gzip.compress(b"{}"), "gzip", 10)
    b'{}'

    Args:
        body: as it came.
        coding: the header ``Content-Encoding``: ``gzip``, ``deflate`` or ``identity``.
        limit: the most bytes that it may have afterwards.

    Raises:
        RequestError: another coding (415), more bytes than the limit (413), or a body that is not what it says.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in _GZIP and coding != "deflate":
        raise RequestError("the body's Content-Encoding is not gzip, deflate or identity", 415)
    try:
        found = _gunzip(body, limit) if coding in _GZIP else _inflated(body, limit)
    except EOFError:
        raise RequestError("the compressed body ends too early") from None
    except (zlib.error, gzip.BadGzipFile):
        raise RequestError(f"the body, or what follows it, is not compressed as {coding}") from None
    if len(found) > limit:
        raise RequestError(f"the body has more than {limit} bytes when it is inflated; send it in parts", 413)
    return found


def _gunzip(body: bytes, limit: int) -> bytes:
    if body.count(_MEMBER) > _MOST_MEMBERS:
        raise RequestError(f"the body has more than {_MOST_MEMBERS} members of gzip; compress it whole")
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        return file.read(limit + 1)


def _inflated(body: bytes, limit: int) -> bytes:
    try:
        return _deflated(body, zlib.MAX_WBITS, limit)
    except zlib.error:
        return _deflated(body, -zlib.MAX_WBITS, limit)  # what some clients mean by deflate: without zlib's header


def _deflated(body: bytes, window: int, limit: int) -> bytes:
    machine = zlib.decompressobj(window)
    found = machine.decompress(body, limit + 1)
    if len(found) <= limit and not machine.eof:
        raise EOFError
    if machine.unused_data:
        raise zlib.error("more data follows it")
    return found


def accepted_coding(header: str) -> str | None:
    """Return the coding in which a client wants its answer, None if it takes it as it is.

    >>> accepted_coding("br, gzip, deflate"), accepted_coding("deflate"), accepted_coding("gzip;q=0")
    ('gzip', 'deflate', None)

    Args:
        header: ``Accept-Encoding``.
    """
    offered = {}
    for part in header.lower().split(",")[:16]:
        coding, _, parameters = part.partition(";")
        offered[coding.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((coding for coding in ("gzip", "deflate") if offered.get(coding)), None)


def compress(body: bytes, coding: str) -> bytes:
    """Return a body in a coding, ``gzip`` or ``deflate``; the same body gives the same bytes."""
    return gzip.compress(body, _LEVEL, mtime=0) if coding == "gzip" else zlib.compress(body, _LEVEL)
