"""The reference of the command line: a page for each command, made from what ``--help`` says."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from click import Command, Context, Group, Option, Parameter
from page_files import heading, toctree, write_pages

from parity_runtime.cli.main import parity
from parity_runtime.cli.sectioned_help import SectionedCommand


def write_command_pages(folder: Path) -> None:
    """Write a page for each command of ``parity``."""
    with Context(parity, info_name="parity") as context:
        names = parity.list_commands(context)
        commands = {name: parity.get_command(context, name) for name in names}
        pages = {
            f"{name}.rst": "".join(_parts(command, context, name)) for name, command in commands.items() if command
        }
    pages["index.rst"] = (
        heading("Command line")
        + "Every command with its options, as ``parity COMMAND --help`` says it.\n\n"
        + toctree(names)
    )
    write_pages(folder, pages)


def _parts(command: Command, parent: Context, name: str, line: str = "=") -> Iterator[str]:
    """Yield the page of a command, and of the commands below it."""
    with Context(command, parent=parent, info_name=name) as context:
        yield heading(context.command_path, line)
        yield f".. program:: {context.command_path}\n\n.. code-block:: text\n\n   {command.get_usage(context)}\n\n"
        yield _escaped(inspect.cleandoc(command.help or "")) + "\n\n"
        for title, options in _sections(command, context).items():
            yield f".. rubric:: {title}\n\n" if options else ""
            yield from (_option(option, context) for option in options)
        yield _examples(command)
        if isinstance(command, Group):
            for below in command.list_commands(context):
                inner = command.get_command(context, below)
                if inner:
                    yield from _parts(inner, context, below, "-")


def _sections(command: Command, context: Context) -> dict[str, list[Parameter]]:
    if isinstance(command, SectionedCommand):
        return command.sections(context)
    return {"Options": [one for one in command.params if isinstance(one, Option)]}


def _option(parameter: Parameter, context: Context) -> str:
    names, text = parameter.get_help_record(context) or ("", "")
    return f".. option:: {names}\n\n   {_escaped(text)}\n\n"


def _examples(command: Command) -> str:
    lines = getattr(command, "examples", [])
    return (
        ".. rubric:: Examples\n\n.. code-block:: sh\n\n" + "".join(f"   {line}\n" for line in lines) + "\n"
        if lines
        else ""
    )


def _escaped(text: str) -> str:
    r"""Return plain text as reStructuredText that shows it; click's ``\b``, which keeps lines apart, is left out."""
    plain = re.sub(r"([*_`|\\<])", r"\\\1", text.replace("\b\n", "").replace("\f", ""))
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*[a-z]", r"``\g<0>``", plain)
