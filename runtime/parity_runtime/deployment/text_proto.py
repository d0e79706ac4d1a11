"""Protobuf's text format, as far as a configuration of Triton's needs it."""

from typing import TypeAlias

Message: TypeAlias = "tuple[tuple[str, Value], ...]"
"""Fields in order; one that is repeated stands there several times."""

Value: TypeAlias = "int | str | list[int] | Message"
"""Text is quoted, but for a `Word`; a list is a repeated field of numbers."""

_ESCAPED = {'"': '\\"', "\\": "\\\\"}


class Word(str):
    """A name of an enumeration's value, which stands there without quotes."""

    __slots__ = ()


def text_proto(message: Message, indent: str = "") -> str:
    """Return a message in the text format, a field a line.

    >>> print(text_proto((("name", "xor"), ("input", (("data_type", Word("TYPE_FP32")), ("dims", [2]))))), end="")
    name: "xor"
    input {
      data_type: TYPE_FP32
      dims: [ 2 ]
    }
    """
    lines = []
    for name, value in message:
        if isinstance(value, tuple):
            inner = text_proto(value, f"{indent}  ")
            lines.append(f"{indent}{name} {{\n{inner}{indent}}}\n" if inner else f"{indent}{name} {{ }}\n")
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}\n")
    return "".join(lines)


def _scalar(value: "int | str | list[int]") -> str:
    if isinstance(value, list):
        return f"[ {', '.join(map(str, value))} ]"
    return _quoted(value) if isinstance(value, str) and not isinstance(value, Word) else str(value)


def _quoted(text: str) -> str:
    """Return text between quotes; what does not print is written as the octal escapes of its UTF-8."""
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character.isprintable():
        return _ESCAPED.get(character, character)
    return "".join(f"\\{byte:03o}" for byte in character.encode())
