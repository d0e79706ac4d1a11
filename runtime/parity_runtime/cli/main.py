"""The group ``parity``: a static table of commands, each imported only when it runs."""

import atexit
import contextlib
import gc
import importlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import click

from parity_runtime.arguments import options_are_named
from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.sectioned_help import SectionedGroup
from parity_runtime.cli.signals import Terminated, termination_raises
from parity_runtime.errors import MissingExtraError, ParityError, memory_reason, out_of_memory
from parity_runtime.printable import printable, sentence
from parity_runtime.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class _Entry(NamedTuple):
    location: str
    extras: str
    summary: str


_SECTIONS = {
    "Train": {
        "train": _Entry("parity_training.cli.train:train", "train", "Train a network on a table."),
        "plot": _Entry("parity_training.cli.plot:plot", "train,plot", "Draw the plots of a training run."),
        "report": _Entry(
            "parity_training.cli.report:report", "train,plot", "Write an HTML report about a run or a package."
        ),
    },
    "Make and check a package": {
        "export": _Entry(
            "parity_export.cli.export:export", "export,cpu", "Export a PyTorch model to a package, and validate it."
        ),
        "adopt": _Entry("parity_export.cli.adopt:adopt", "export,cpu", "Make a package from an ONNX file."),
        "check": _Entry("parity_export.cli.check:check", "export,cpu", "Compare an ONNX file with a PyTorch model."),
        "diff": _Entry("parity_export.cli.diff:diff", "export,cpu", "Find the first operator whose outputs differ."),
        "certify": _Entry(
            "parity_export.cli.certify:certify", "export,cpu", "Count the labels that rounding cannot change."
        ),
        "estimate": _Entry(
            "parity_export.cli.estimate:estimate", "export,cpu", "Estimate the rounding error, without a proof."
        ),
    },
    "Use a package": {
        "info": _Entry("parity_runtime.cli.info:info", "cpu", "Show the inputs, outputs and origin of a package."),
        "verify": _Entry(
            "parity_runtime.cli.verify:verify", "cpu", "Check the files of a package, and run its test vectors."
        ),
        "predict": _Entry("parity_runtime.cli.predict:predict", "cpu", "Predict the rows of a table."),
        "evaluate": _Entry(
            "parity_runtime.cli.evaluate:evaluate", "cpu", "Measure predictions against a column of true values."
        ),
        "bench": _Entry("parity_runtime.cli.bench:bench", "cpu", "Measure the speed of a package on this machine."),
    },
    "Run it as a service": {
        "serve": _Entry("parity_runtime.cli.serve:serve", "cpu,serve", "Serve predictions over HTTP."),
        "view": _Entry("parity_runtime.cli.view:view", "cpu", "Show a package on a page in your browser."),
        "deploy": _Entry(
            "parity_runtime.cli.deploy:deploy", "cpu", "Write the files that Triton, KServe or Docker needs."
        ),
    },
    "Find problems": {
        "doctor": _Entry(
            "parity_runtime.cli.doctor:doctor", "cpu", "Check this installation, and say how to repair it."
        ),
    },
}
"""The commands by what a user wants, in the order of the work."""

_COMMANDS = {name: entry for section in _SECTIONS.values() for name, entry in section.items()}

_OURS = {"parity_runtime", "parity_training", "parity_export"}


class _ReaderLeftError(Exception):
    """The process behind a pipe has closed it."""


@contextlib.contextmanager
def _no_collecting() -> Iterator[None]:
    """Look for no cycles meanwhile: imports make objects by the hundred thousand, and leave none behind."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class LazyGroup(SectionedGroup):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Return the commands in the order of the work."""
        return list(_COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that has what it wants is no error (to click it is one)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeftError from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.location.partition(":")
        try:
            with _no_collecting():
                command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if ctx.resilient_parsing:  # a shell asks what may follow, and is no place for a sentence
                return click.Command(cmd_name, add_help_option=False)
            if error.name is None or error.name.partition(".")[0] in _OURS:
                raise
            raise MissingExtraError(
                f"parity {cmd_name} needs {error.name}, which is not installed; "
                f'from a checkout of Parity: pip install ".[{entry.extras}]"'
            ) from error
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a command's name from the table, without importing them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 -- a shell's alone

        found = [CompletionItem(name, help=entry.summary) for name, entry in _COMMANDS.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [item for item in found if item.value.startswith(incomplete)] + options

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table, without importing them."""
        width = max(map(len, _COMMANDS))
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in commands.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples="""
        # Train on a table, export the network to ONNX, and predict
        parity train data.csv --target label --out runs/mine
        parity export runs/mine packages/mine
        parity predict packages/mine new.csv --out predicted.csv
        # Show the options and the examples of a command
        parity train --help
    """,
)
@click.version_option(__version__, prog_name="parity")
def parity() -> None:
    """Train a model in PyTorch, ship it as ONNX, and prove that both compute the same outputs."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 an error, 2 usage, 3 a gate said no, 128 and more a signal."""
    # Python looks for cycles among all objects once more when it ends: a tenth of the time of a short command.
    atexit.register(gc.freeze)
    try:
        with termination_raises(), options_are_named():
            code = _run(arguments)
    except Terminated as stop:
        code = _fail(str(stop), stop.exit_code)
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    warnings.showwarning = _show_warning
    if os.environ.get("_PARITY_COMPLETE", "").startswith("fish"):
        from parity_runtime.cli.fish_completion import show_whole_descriptions  # noqa: PLC0415 -- a shell's alone

        show_whole_descriptions()
    try:
        result: Any = parity.main(arguments, prog_name="parity", standalone_mode=False)
    except click.ClickException as error:
        return _fail_to_use(error)
    except (ParityError, Warning) as error:  # a warning is raised where the environment asks for that
        way_out = printable(getattr(error, "way_out", ""))
        return _fail(str(error).removesuffix(way_out), getattr(error, "exit_code", 1), way_out)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except _ReaderLeftError:
        # Without this Python complains when it flushes stdout at exit.
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # torch and the loader of libraries have errors of their own for memory
        if not isinstance(error, OSError) and not out_of_memory(error):
            raise
        return _fail(_of_the_system(error), 1)
    return result if isinstance(result, int) else 0


def _fail_to_use(error: click.ClickException) -> int:
    text = io.StringIO()
    error.show(text)
    for line in text.getvalue().splitlines():
        echo_line(line, err=True)
    return error.exit_code


def _of_the_system(error: Exception) -> str:
    reason = memory_reason(error)
    if isinstance(error, OSError) and reason is None:
        return f"{_named(error.filename)}: {error.strerror or error}"
    return f"not enough memory: {reason or ''}".removesuffix(": ")


def _named(filename: str | bytes | None) -> str:
    return "the system" if filename is None else os.fsdecode(filename)


def _show_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001
    filename: str,  # noqa: ARG001
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """A user of the command line has no use for the line of Python that warns."""
    click.echo(sentence(f"parity: {message}"), err=True)


def _fail(message: str, exit_code: int, way_out: str = "") -> int:
    click.echo(sentence(f"parity: {message}") + way_out, err=True)
    return exit_code
