"""docs/explanation/proof.md: its tables are made from the rules, and the files that it names are there."""

import re
from pathlib import Path

import pytest

from parity_export.error_bounds.operator_table import BEGIN, END, with_table
from parity_export.error_bounds.registry import COMPARISONS, RULES
from tests.warm_process import WarmProcess

ROOT = Path(__file__).parent.parent.parent
ERROR_BOUNDS = ROOT / "export" / "parity_export" / "error_bounds"
PAGE = ROOT / "docs" / "explanation" / "proof.md"
TEXT = PAGE.read_text()


def said(warm: WarmProcess, run: str, program: object, *arguments: object) -> str:
    """What a script or a module of Python's prints that is run by itself."""
    argv = [str(program), *map(str, arguments)]
    folder = str(Path(argv[0]).parent)
    code = f"import runpy, sys; sys.argv = {argv!r}; sys.path[0] = {folder!r}; {run}({argv[0]!r}, run_name='__main__')"
    done = warm.run(["-c", code], cwd=ROOT)
    assert done.returncode == 0, done.err
    return done.out


@pytest.mark.parametrize("script", ["elementary", "compliance"])
def test_its_tables_of_functions_and_backends_are_those_that_were_measured(warm: WarmProcess, script: str) -> None:
    found = said(warm, "runpy.run_path", ROOT / "benchmarks" / f"{script}.py", "--markdown")
    assert found.strip() in TEXT


def test_its_table_of_operators_is_made_from_the_rules() -> None:
    command = "python -m parity_export.error_bounds.operator_table docs/explanation/proof.md"
    assert with_table(TEXT) == TEXT, f"run: {command}"
    for rule in RULES:
        assert f"\n| {rule.name} " in TEXT
    assert {*COMPARISONS} == {"IsNaN", "Greater"}


def test_the_command_that_it_names_writes_the_table(warm: WarmProcess, tmp_path: Path) -> None:
    copy = tmp_path / "proof.md"
    table = TEXT[TEXT.index(BEGIN) + len(BEGIN) : TEXT.index(END)]
    copy.write_text(TEXT.replace(table, "\n| old |\n"))
    module = re.search(r"python -m (\S+) docs/explanation/proof.md", BEGIN)
    assert module is not None
    said(warm, "runpy.run_module", module[1], copy)
    assert copy.read_text() == TEXT
    assert said(warm, "runpy.run_module", module[1]) == table.lstrip("\n")


@pytest.mark.parametrize("page", ["no table", f"{END}\n{BEGIN}", f"{BEGIN}\n{BEGIN}\n{END}"])
def test_a_page_without_a_place_for_the_table_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        with_table(page)


def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`([a-z_0-9/]+\.(?:py|json))`", TEXT)
    assert len(named) >= 10
    for name in named:
        places = [ERROR_BOUNDS, ERROR_BOUNDS / "operators", ERROR_BOUNDS.parent, ROOT]
        assert any((place / name).is_file() for place in places), name
    modules = re.findall(r"`parity_export\.([a-z_.]+)`", TEXT)
    assert modules and all((ERROR_BOUNDS.parent / f"{name.replace('.', '/')}.py").is_file() for name in modules)
