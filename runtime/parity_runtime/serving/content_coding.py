"""Bodies that are compressed: gzip and deflate, never inflated to more than a limit."""

import gzip
import zlib

from parity_runtime.serving.request_error import RequestError

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
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
    if coding not in _WINDOWS:
        raise RequestError("the body's Content-Encoding is none of gzip, deflate and identity", 415)
    try:
        return _inflated(body, _WINDOWS[coding], limit)
    except zlib.error:
        if coding != "deflate":
            raise RequestError(f"the body is not compressed as {coding}") from None
    try:
        return _inflated(body, -zlib.MAX_WBITS, limit)  # what some clients mean by deflate: without zlib's header
    except zlib.error:
        raise RequestError("the body is not compressed as deflate") from None


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    machine = zlib.decompressobj(window)
    found = machine.decompress(body, limit + 1)
    if len(found) > limit:
        raise RequestError(f"the body has more than {limit} bytes when it is inflated; send it in parts", 413)
    if not machine.eof or machine.unused_data:
        raise RequestError("the compressed body ends too early, or something stands behind it")
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
