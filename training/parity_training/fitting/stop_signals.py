"""SIGTERM, SIGHUP and Ctrl-C while training: the step is finished and saved before the process ends."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from parity_runtime import ParityError

_STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT") if hasattr(signal, name)]

Handler = Any
"""What the signal module takes and gives as a signal's handler."""


class StoppedError(ParityError):
    """A signal stopped the training, which can be resumed. A command exits with 128 plus the signal's number.

    Args:
        message: what was stopped, and how to continue.
        signal_number: the number of the signal, such as 15 for SIGTERM.

    Attributes:
        signal_number: the number of the signal.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number  # type: ignore[misc]


class StopRequest:
    """Whether somebody asked to stop.

    Attributes:
        signal_number: of the signal that came; 0 while none has.
    """

    signal_number: int = 0

    def __repr__(self) -> str:
        return f"StopRequest({signal.Signals(self.signal_number).name if self.signal_number else 'none'})"


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Note SIGTERM, SIGHUP and SIGINT instead of ending; a second one does what it would do without this.

    A signal that is ignored stays ignored: nohup asks for that. Python delivers signals to the main thread alone: in
    another one nothing is changed.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, earlier: Handler) -> None:
        request.signal_number = number
        signal.signal(number, earlier)

    with handled_by(note):
        yield request


@contextlib.contextmanager
def handled_by(handle: Callable[[int, Handler], None]) -> Iterator[None]:
    """Call a function for SIGTERM, SIGHUP and SIGINT while the block runs; one that is ignored stays ignored.

    Args:
        handle: gets the signal's number and what handled it before.
    """
    found = {number: signal.getsignal(number) for number in _STOPPING}
    before = {number: handler for number, handler in found.items() if handler != signal.SIG_IGN}

    def answer(number: int, _frame: FrameType | None) -> None:
        handle(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, answer)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
