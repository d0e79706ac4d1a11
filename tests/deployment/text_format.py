"""A reader of protobuf's text format, for the configurations that `parity deploy` writes."""

import re
from typing import Any

TOKEN = re.compile(r'\s*(#[^\n]*|"(?:[^"\\\n]|\\.)*"|[{}\[\],:]|[\w.+-]+)')
ESCAPE = re.compile(rb"\\([0-7]{3}|.)")


def parse(text: str) -> dict[str, list[Any]]:
    """Return every field's values, in order, by its name."""
    tokens = []
    place = 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        assert found, text[place:]
        place = found.end()
        tokens += [] if found[1].startswith("#") else [found[1]]
    message, end = _message(tokens, 0)
    assert end == len(tokens)
    return message


def _message(tokens: list[str], place: int) -> tuple[dict[str, list[Any]], int]:
    message: dict[str, list[Any]] = {}
    while place < len(tokens) and tokens[place] != "}":
        values = message.setdefault(tokens[place], [])
        if tokens[place + 1] == "{":
            inner, place = _message(tokens, place + 2)
            assert tokens[place] == "}"
            values.append(inner)
        elif tokens[place + 2] == "[":
            end = tokens.index("]", place)
            values += [_scalar(part) for part in tokens[place + 3 : end] if part != ","]
            place = end
        else:
            assert tokens[place + 1] == ":"
            place += 2
            values.append(_scalar(tokens[place]))
        place += 1
    return message, place


def _scalar(part: str) -> int | str:
    if part.startswith('"'):
        return ESCAPE.sub(_unescaped, part[1:-1].encode()).decode()
    return int(part) if re.fullmatch(r"-?\d+", part) else part


def _unescaped(found: "re.Match[bytes]") -> bytes:
    code = found[1]
    return bytes([int(code, 8)]) if len(code) == 3 else code
