"""Messages: a library function names no option as it is, and no message has an idiom that readers stumble over."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROOMS = [ROOT / "runtime/parity_runtime", ROOT / "training/parity_training", ROOT / "export/parity_export"]
SPEAKERS = {"argument", "either"}
"""What chooses between Python's name and the option."""

COMMANDS_ALONE = ("cli", "dockerfile.py", "npm_command.py", "pinned_versions.py", "pip_commands.py")
"""Folders and files whose texts are of the command line, or whole commands."""

COMMAND = re.compile(r"\bparity (export|train) ")
OPTION = re.compile(r"(?<![\w-])(?<!var\()--[a-z]")  # var(--ink) is one of CSS

IDIOMS = re.compile(
    r"(?<![Tt]here )\b(?:is|are) no (?!more|less|better|longer|other)|\bgo(?:es)? with\b|\banew\b"
    r"|\bin (?:the|its|their) place\b|\bstands? (?:in|there|twice)\b|\banswers? (?:that|with|of)\b"
)
"""What says something else to most readers: write is not a, is for, again, instead, is in, predictions."""

EXAMPLES = [
    path
    for pattern in ("*/*.mjs", "c/src/*.c")
    for path in (ROOT / "examples").glob(pattern)
    if path.name != "check.mjs"  # which checks the page, and speaks to its developers
]
PIECES = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\.)*'|\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`", re.DOTALL)
"""Comments, characters and strings of JavaScript and C: none of them begins within another."""


def text_of(part: ast.expr) -> str:
    """Return the text of a part of an f-string; nothing of what is computed."""
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""


def options_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string that names an option outside of a docstring and of a speaker."""
    passed_over = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS:
            passed_over |= {id(one) for one in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr) and COMMAND.search("".join(map(text_of, node.values))):
            passed_over |= {id(one) for one in ast.walk(node)}  # a whole command is one for everybody
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in passed_over else None
        if isinstance(node, ast.Constant) and isinstance(text, str) and OPTION.search(text):
            yield node.lineno, text


def test_no_message_of_a_library_function_names_an_option_as_it_is() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for room in ROOMS
        for path in room.rglob("*.py")
        if not set(path.relative_to(room).parts) & set(COMMANDS_ALONE)
        for line, text in options_in(ast.parse(path.read_text()))
    ]
    assert found == []


def idioms_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string with an idiom that is not a docstring."""
    described = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in described and IDIOMS.search(text_of(node)):
            yield node.lineno, text_of(node)


def test_no_message_has_an_idiom_that_readers_stumble_over() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for room in ROOMS
        for path in room.rglob("*.py")
        for line, text in idioms_in(ast.parse(path.read_text()))
    ]
    assert found == []
    assert [text for _, text in idioms_in(ast.parse("raise E(f'{a} is no run; train it anew')"))] == [
        " is no run; train it anew"
    ]


def strings_in(code: str) -> Iterator[str]:
    """Yield every string of JavaScript or C; what C joins is one."""
    for piece in PIECES.finditer(re.sub(r'"\s*\n\s*"', "", code)):
        yield from filter(None, piece.groups())


def test_no_message_of_the_readers_in_javascript_and_c_has_such_an_idiom() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in EXAMPLES
        for text in strings_in(path.read_text())
        if IDIOMS.search(text)
    ]
    assert found == []
    assert len(EXAMPLES) > 80
    assert list(strings_in('fail("a " /* "b" */\n"c" "d"); // "e"\nthrow `${a} f`')) == ["a ", "c", "d", "${a} f"]
