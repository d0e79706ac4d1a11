"""A server of a fixed set of files to the browser of this machine."""

import os
import shutil
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from urllib.parse import unquote

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.files.open_file import open_regular

LOOPBACK = "127.0.0.1"
PACKAGE = "/package/"
"""Where a package's files are: a stranger's, of which a browser must run none."""
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
_BYTES = "application/octet-stream"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site's page takes files of this one
}


class ViewServer(ThreadingHTTPServer):
    """Serves files on 127.0.0.1, to requests that name this machine.

    Attributes:
        files: every file that is served, by the path of its URL; nothing else on the disk is reached.
        hosts: the values of the header Host that are answered. A page of another site whose name was made to resolve
            to 127.0.0.1 (DNS rebinding) sends its own name, and gets nothing.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # a port whose last connections are still closing; on Windows, any port

    def __init__(self, port: int, files: Mapping[str, Path]) -> None:
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise InputError(
                f"{LOOPBACK}:{port} cannot be listened on: {error.strerror or error}; choose another {argument('port')}"
            ) from error
        self.files = files
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}
        if self.server_port == 80:
            self.hosts |= {LOOPBACK, "localhost"}

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind without asking a name server for the name of 127.0.0.1, as the base class does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that left; anything else is a fault of ours."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    timeout = 30  # seconds that a request may take to arrive
    server_version, sys_version = "parity", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Whoever looks at the page has no use for a log."""

    def _answer(self, *, with_body: bool) -> None:
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server answers 127.0.0.1 and localhost only")
            return
        asked = unquote(self.path.partition("?")[0])
        path = self.server.files.get(asked)
        try:
            file = open_regular(path) if path else None
        except OSError:
            file = None
        if path is None or file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", _type_of(asked, path.suffix))
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                shutil.copyfileobj(file, self.wfile)


def _type_of(asked: str, suffix: str) -> str:
    """Return what a browser takes a file for: one of a package for JSON, or bytes that it neither shows nor runs."""
    is_known = suffix == ".json" or not asked.startswith(PACKAGE)
    return _TYPES.get(suffix, _BYTES) if is_known else _BYTES
