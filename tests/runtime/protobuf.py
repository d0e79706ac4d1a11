"""Protocol-buffer fields by hand: two messages one after the other are one, so that models can be added to."""


def field(number: int, payload: bytes | int) -> bytes:
    """Return one field: a varint, or bytes with their length."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def metadata(key: str, value: str) -> bytes:
    """Return a ModelProto's metadata_props entry."""
    return field(14, field(1, key.encode()) + field(2, value.encode()))
