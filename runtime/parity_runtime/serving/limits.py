"""What one request, and all that are held at once, may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a service.

    Attributes:
        rows: of a batch.
        bytes: of a body, before and after it is inflated.
        seconds: until a body has arrived.
        held_bytes: of all bodies that are held at once; beyond, a request is answered with 503.
        dropped_bytes: of a refused body that are read and dropped, so that the refusal reaches the client.
        dropped_seconds: for how long, at most.
        head_bytes: of a request's target and headers, and of all that frames a body beyond eight bytes a byte of it.
        waiting: requests on one connection that wait for the answer of the one before.
        header_seconds: until a request's headers have arrived.
        stalled_seconds: that a client may leave its answer unread.
    """

    rows: int = 10_000
    bytes: int = 2**23
    seconds: float = 30.0
    held_bytes: int = 2**26
    dropped_bytes: int = 2**26
    dropped_seconds: float = 10.0
    head_bytes: int = 2**16
    waiting: int = 100
    header_seconds: float = 10.0
    stalled_seconds: float = 30.0
