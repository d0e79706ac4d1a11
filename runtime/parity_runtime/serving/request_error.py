"""What the service answers where it cannot answer."""

from parity_runtime.printable import printable

_LONGEST = 300  # characters; what a client sent is quoted, and its whole body shall not come back


class RequestError(Exception):
    """A request cannot be answered; its text, one printable line, goes to the client.

    Args:
        text: what is wrong, and the way out.
        status: the HTTP status: 4xx, or 500 where the model is at fault, 503 where another try may help.

    Attributes:
        status: as given.
    """

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(printable(text[:_LONGEST])[:_LONGEST])
        self.status = status
