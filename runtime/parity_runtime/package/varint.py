"""Numbers as protobuf writes them: seven bits a byte, the lowest first (protobuf.dev/programming-guides/encoding)."""

_LONGEST = 10  # bytes


def read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Return the number that begins at a position, and where it ends.

    Raises:
        ValueError: it has more than 10 bytes.
        IndexError: the data end within it.
    """
    value = shift = 0
    for _ in range(_LONGEST):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number has more than 10 bytes")


def written_varint(value: int) -> bytes:
    """Return a number's bytes."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
