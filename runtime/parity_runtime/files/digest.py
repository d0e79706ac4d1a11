"""SHA-256, without the cost of OpenSSL where a file is small."""

from collections.abc import Callable
from typing import Any

_SMALL = 2**20  # Below, loading OpenSSL (4 MB, 5 ms) costs more than its faster SHA-256 saves.


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in lower-case hexadecimal."""
    digest: str = (_lean() if len(data) < _SMALL else _openssl())(data).hexdigest()
    return digest


def _lean() -> Callable[[bytes], Any]:
    """Return CPython's own SHA-256, which the standard library's ``random`` module imports in the same way."""
    try:
        from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 -- since 3.12
    except ImportError:
        try:
            from _sha256 import sha256  # type: ignore[import-not-found,no-redef,unused-ignore]  # noqa: PLC0415
        except ImportError:
            return _openssl()
    return sha256  # type: ignore[no-any-return,unused-ignore]


def _openssl() -> Callable[[bytes], Any]:
    import hashlib  # noqa: PLC0415 -- loads OpenSSL

    return hashlib.sha256
