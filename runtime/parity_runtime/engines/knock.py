"""Whether anybody listens at an address, before an engine tries for minutes."""

import socket

_SECONDS = 10.0


def knock(addresses: str) -> None:
    """Connect to the first that answers of some addresses, with commas between; one without a port is not tried.

    Raises:
        OSError: none answers.
    """
    refused = None
    for address in addresses.split(","):
        host, _, port = address.rpartition(":")
        if not port.isdecimal():  # a word of the engine's own
            return
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
        except OSError as error:
            refused = error
        else:
            return
    if refused is not None:
        raise refused
