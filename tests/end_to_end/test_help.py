"""The help of every command: options in sections, and examples that one can copy."""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context, Group
from click.exceptions import Exit

from parity_runtime.cli.main import parity
from parity_runtime.cli.sectioned_help import SectionedCommand, SectionedGroup
from tests.warm_process import WarmProcess

SUFFIXES = {".csv", ".parquet", ".onnx", ".npz", ".pt", ".json", ".html", ".whl"}
"""What a file in an example ends with; a run and a package are folders, and have no suffix."""


def commands(group: Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command with the words that call it."""
    yield words, group
    context = Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, Group):
            yield from commands(found, (*words, name))
        else:
            yield (*words, name), found


COMMANDS = dict(commands(parity, ("parity",)))


def examples(words: tuple[str, ...]) -> list[list[str]]:
    """Return the words of each example that a command's help shows, without a redirection at its end."""
    shown = COMMANDS[words].get_help(context_of(words)).partition("\nExamples:\n")[2]
    joined = shown.replace("\\\n", " ")
    lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.strip().startswith("#")]
    return [shlex.split(line.partition(" < ")[0]) for line in lines]


def context_of(words: tuple[str, ...]) -> Context:
    return Context(COMMANDS[words], info_name=" ".join(words))


EXAMPLES = [pytest.param(line, id=shlex.join(line)) for words in COMMANDS for line in examples(words)]
NAMES = [pytest.param(words, id=" ".join(words)) for words in COMMANDS]


@pytest.mark.parametrize("words", NAMES)
def test_every_help_ends_with_examples_of_the_command(words: tuple[str, ...]) -> None:
    found = examples(words)
    assert found and all(tuple(line[: len(words)]) == words for line in found)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_read_as_it_stands(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = max((words for words in COMMANDS if tuple(line[: len(words)]) == words), key=len)
    with contextlib.suppress(Exit):  # --help ends there
        COMMANDS[words].make_context(" ".join(words), line[len(words) :])
    names = [word for word in line if re.fullmatch(r"[\w/*-]+[\w*]\.[a-z]+", word)]
    assert {Path(name).suffix for name in names} <= SUFFIXES
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("line", [each for each in EXAMPLES if each.id and "doctor" not in each.id])
def test_no_example_is_wrong_usage(line: list[str], warm: WarmProcess, tmp_path: Path) -> None:
    """Where nothing that an example names is there, each stops at that and not at its options."""
    done = warm.run(line[1:], cwd=tmp_path)
    assert done.returncode == (0 if "--help" in line else 1), done.err
    assert "Usage" not in done.err


@pytest.mark.parametrize("words", NAMES)
def test_every_option_stands_in_one_section(words: tuple[str, ...]) -> None:
    command, context = COMMANDS[words], context_of(words)
    assert isinstance(command, SectionedCommand | SectionedGroup)
    if isinstance(command, SectionedGroup):  # its options are few, and its commands stand in sections
        return
    sections = command.sections(context)
    assert all(sections.values())
    placed = [option.name for options in sections.values() for option in options]
    assert sorted(map(str, placed)) == sorted(
        str(each.name) for each in command.get_params(context) if each.param_type_name == "option"
    )
    text = command.get_help(context)
    for title, options in sections.items():
        part = text.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert part and all(option.opts[-1] in part for option in options), title


def test_a_command_with_many_options_has_sections_and_one_with_few_has_one_list() -> None:
    titles = {words[-1]: list(command.sections(context_of(words)))
              for words, command in COMMANDS.items() if isinstance(command, SectionedCommand)}  # fmt: skip
    assert (
        len(titles["train"]) >= 8 and titles["train"][0] == "Options" and titles["train"][-1] == "How the file is read"
    )
    assert len(titles["export"]) >= 5 and len(titles["predict"]) >= 5 and titles["verify"] == ["Options"]


def test_the_top_help_groups_every_command() -> None:
    text = parity.get_help(context_of(("parity",)))
    for title in ("Train", "Make and check a package", "Use a package", "Run it as a service", "Find problems"):
        assert f"\n{title}:\n" in text
    for name in parity.list_commands(Context(parity)):
        assert len(re.findall(rf"^  {name} ", text, re.MULTILINE)) == 1
