"""Text of somebody else's file, as it may stand in a line that a person reads: printable, and not too long.

A terminal obeys control characters, a right-to-left override turns a line around, a newline forges a second line, and
a lone surrogate cannot be encoded at all: each is shown as its escape.
"""

import json
from typing import Any

SCREEN = 1500
"""Characters that one sentence has at most: a screen of 80 columns has 1,920."""

_VALUE = 80  # characters of one value of a file within a sentence
_END = 400  # characters of a long sentence's end, which holds the way out


def printable(text: str) -> str:
    """Return text in one line: what does not print (control, bidi, surrogate, private use) is escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def sentence(text: str) -> str:
    """Return text in one printable line of at most `SCREEN` characters; of a longer one the middle is left out."""
    if len(text) > SCREEN:
        text = f"{text[: SCREEN - _END]} ... {text[-_END:]}"
    line = printable(text)
    if len(line) > SCREEN:  # escapes take more room than what they stand for
        line = f"{line[: SCREEN - _END - 5]} ... {line[-_END:]}"
    return line


def shown(value: Any) -> str:
    """Return a value of a file as it stands within a sentence: its literal, cut where it is long."""
    if isinstance(value, str):
        text = repr(value[: _VALUE + 1])
        return printable(text) if len(value) <= _VALUE else f"{printable(text[:_VALUE])}...'"
    if isinstance(value, list | tuple | dict):
        return _items(value)
    if isinstance(value, int) and abs(value) >= 10**_VALUE:
        return f"a number of {value.bit_length()} bits"  # its digits are not computed: that is quadratic
    text = printable(repr(value))
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}..."


def printable_json(text: str) -> str:
    """Return a JSON text that prints, and means the same: in strings, the only place for them, such text is escaped."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_json_escaped, line)) for line in lines)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def _json_escaped(character: str) -> str:
    return character if character.isprintable() or character in "\r\t" else json.dumps(character)[1:-1]


def _items(value: "list[Any] | tuple[Any, ...] | dict[Any, Any]") -> str:
    """Return a container as text whose length is bounded before it is built."""
    opening, closing = "{}" if isinstance(value, dict) else "()" if isinstance(value, tuple) else "[]"
    parts: list[str] = []
    room = _VALUE
    for key in value:
        item = value[key] if isinstance(value, dict) else key
        text = "..." if isinstance(item, list | tuple | dict) and item else shown(item)
        parts.append(f"{shown(key)}: {text}" if isinstance(value, dict) else text)
        room -= len(parts[-1]) + 2
        if room < 0:
            break
    more = ", ..." if len(parts) < len(value) else ""
    return f"{opening}{', '.join(parts)}{more}{closing}"


def counted(number: int, noun: str) -> str:
    """Return ``1 feature``, ``2 features``, ``2 classes``, ``2 batches``, ``2 epochs``."""
    plural = f"{noun}es" if noun.endswith(("s", "x", "tch")) else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
