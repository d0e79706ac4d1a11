"""The access log: a line of JSON for each answer, written by a thread, so that a reader that stalls freezes nothing."""

import queue
import threading
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter, time
from typing import BinaryIO

import orjson

from parity_runtime.serving.exchange import Exchange

_MOST_WAITING = 10_000  # lines; beyond, what is not written is counted
_LONGEST = 300  # characters of what a client sent
_PAUSE = 0.1  # seconds that lines are gathered for: a write for each would cost more than the line


class AccessLog:
    """Writes lines to a file until it is closed.

    Args:
        file: binary, opened for writing, without a buffer.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._closed = threading.Event()
        self._thread.start()

    def add(self, exchange: Exchange) -> None:
        """Add the line of an answer."""
        if self._lines.qsize() > _MOST_WAITING:
            self._lost += 1
            return
        self._lines.put(orjson.dumps(_told(exchange), option=orjson.OPT_APPEND_NEWLINE))

    def close(self, seconds: float = 2.0) -> None:
        """Write what is left; a reader that does not read is waited for no longer than some seconds."""
        self._closed.set()
        self._lines.put(None)
        self._thread.join(seconds)

    def _write(self) -> None:
        going_on = True
        while going_on:
            lines = [self._lines.get()]
            self._closed.wait(_PAUSE)
            while not self._lines.empty():
                lines.append(self._lines.get())
            going_on = None not in lines
            if self._lost:
                lost, self._lost = self._lost, 0
                lines.append(orjson.dumps({"lost_lines": lost}, option=orjson.OPT_APPEND_NEWLINE))
            try:
                _write_all(self._file, b"".join(line for line in lines if line))
            except OSError:  # nobody reads it any more; the service goes on
                return


def _write_all(file: BinaryIO, data: bytes) -> None:
    while data:
        data = data[file.write(data) or 0 :]


@lru_cache(1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]


def _told(exchange: Exchange) -> dict[str, str | int | float]:
    scope = exchange.scope
    client = scope.get("client")
    now = time()
    told: dict[str, str | int | float] = {
        "time": f"{_second(int(now))}.{int(1e3 * (now % 1)):03}+00:00",
        "request_id": exchange.request_id,
        "client": client[0] if client else "",
        "method": scope["method"][:_LONGEST],
        "path": scope["raw_path"][:_LONGEST].decode("ascii", "backslashreplace"),
        "status": exchange.status,
        "milliseconds": round(1e3 * (perf_counter() - exchange.started), 3),
        "bytes_in": exchange.received,
        "bytes_out": exchange.sent,
    }
    for name in ("traceparent", "model", "error"):
        if text := getattr(exchange, name):
            told[name] = text
    return told
