"""How messages name arguments: Python's keyword to a caller in Python, the option to whoever typed a command."""

import threading
from pathlib import Path

import pytest

from parity_runtime import InputError, Predictor
from parity_runtime.arguments import argument, check_choice, did_you_mean, either, options_are_named
from parity_runtime.cli.main import parity as commands
from parity_runtime.evaluation.evaluate import evaluate_chunks


@pytest.mark.parametrize(
    ("given", "python", "command_line"),
    [
        ({"name": "replace", "value": True, "option": "--force"}, "replace=True", "--force"),
        ({"name": "batch_size"}, "batch_size", "--batch-size"),
        ({"name": "output", "value": "logits"}, "output='logits'", "--output logits"),
        ({"name": "key", "value": "a b", "option": "--weights-key"}, "key='a b'", "--weights-key 'a b'"),
        ({"name": "inputs", "value": ["x: f[2]", "y"], "option": "--input"}, "inputs=['x: f[2]', 'y']",
         "--input 'x: f[2]' --input y"),
        ({"name": "drop_columns", "value": ("a, b", "c")}, "drop_columns=('a, b', 'c')", "--drop-columns '\"a, b\",c'"),
        ({"name": "missing_values", "value": ()}, "missing_values=()", "--missing-values ''"),
    ],
)  # fmt: skip
def test_an_argument_is_written_as_its_caller_writes_it(given: dict, python: str, command_line: str) -> None:
    assert argument(**given) == python
    with options_are_named():
        assert argument(**given) == command_line
    assert argument(**given) == python


def test_the_threads_of_a_command_name_options_too() -> None:
    found = []
    with options_are_named():
        worker = threading.Thread(target=lambda: found.append(either("replace=True", "--force")))
        worker.start()
        worker.join()
    assert found == ["--force"]


def test_a_command_that_failed_leaves_python_s_names_behind(parity, xor_package: Path, tmp_path: Path) -> None:
    species = Path(__file__).parent.parent / "data" / "species"
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,3,4\n")
    assert parity("evaluate", species, tmp_path / "t.csv").is_refused(1, "true values with --target")
    with pytest.raises(InputError, match="true values with target$"):
        evaluate_chunks(Predictor(species), iter([]))


@pytest.mark.parametrize(
    ("given", "hint"), [("binry", "; did you mean binary?"), ("BINARY", "; did you mean binary?"), ("zzz", ""), (3, "")]
)
def test_what_was_probably_meant_is_offered(given: object, hint: str) -> None:
    assert did_you_mean(given, ["binary", "multiclass"]) == hint
    with pytest.raises(InputError, match="task is .*, not one of 'binary', 'multiclass'"):
        check_choice("task", given, ["binary", "multiclass"])


def test_the_option_of_each_argument_is_there() -> None:
    """Commands whose messages are made far away: what `argument` derives is an option of theirs."""
    import click

    derived = {
        "predict": ["digest", "errors", "out_of_range", "batch_size", "spreadsheet_safe"],
        "evaluate": ["digest", "target"],
        "bench": ["digest"],
        "verify": ["digest"],
    }
    for name, arguments in derived.items():
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        options = {option for parameter in command.params for option in parameter.opts}
        with options_are_named():
            assert {argument(one) for one in arguments} <= options
