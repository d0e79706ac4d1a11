"""The head of a request: what is refused beyond what the parser refuses, and the forms that its target may have."""

from typing import Any
from urllib.parse import unquote

import httptools

from parity_runtime.serving.answer import Headers
from parity_runtime.serving.limits import Limits
from parity_runtime.serving.request_error import RequestError

_OVERHEAD = 4  # bytes of a line beside the header's name and value


def check_head(url: bytes, headers: Headers, version: str, limits: Limits) -> None:
    """Refuse a head that is too long, or of which two servers in a row may think differently.

    Args:
        url: the target of the request.
        headers: by their names in lower case.
        version: of HTTP.
        limits: of the service.

    Raises:
        RequestError: says why.
    """
    size, hosts, codings = len(url), 0, 0
    for name, value in headers:
        size += len(name) + len(value) + _OVERHEAD
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            codings += 1
            if codings > 1 or value.lower() != b"chunked" or version == "1.0":
                raise RequestError("the only Transfer-Encoding that is read here is chunked, of HTTP/1.1")
    if size > limits.head_bytes:
        raise RequestError(f"the head has more than {limits.head_bytes} bytes", 431)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise RequestError(f"the head names {hosts} hosts; HTTP/1.1 requires exactly one Host")


def origin_form(url: bytes) -> bytes:
    """Return a target without the scheme and the host that a proxy's client writes.

    >>> origin_form(b"http://host:80/v2?x=1"), origin_form(b"http://host"), origin_form(b"*")
    (b'/v2?x=1', b'/', b'*')

    Raises:
        HttpParserInvalidURLError: it is no URL.
    """
    if url.startswith(b"/") or url == b"*":
        return url
    parsed = httptools.parse_url(url)
    return (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")


def path_of(url: bytes) -> dict[str, Any]:
    """Return the path of a target, as ASGI has it."""
    raw = httptools.parse_url(url).path
    path = raw.decode("ascii")
    return {"path": unquote(path) if "%" in path else path, "raw_path": raw}


def without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    r"""Return the bytes of a head that does not ask for another protocol.

    >>> without_upgrade(b"GET", b"/", "1.1", [(b"host", b"a"), (b"upgrade", b"h2c")])
    b'GET / HTTP/1.1\r\nhost: a\r\n\r\n'
    """
    lines = [name + b": " + value for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([method + b" " + url + b" HTTP/" + version.encode(), *lines, b"", b""])
