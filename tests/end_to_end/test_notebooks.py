"""Every notebook of the examples runs in a fresh kernel, in an empty folder, and shows what is stored in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.end_to_end.notebooks import NOTEBOOKS, executed, read, to_store

MOST_BYTES = 150_000
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
BY_NAME = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def told(cell: Any) -> Iterator[tuple[str, str]]:
    """What a cell shows: the kinds of its outputs, and the text of each."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output.name, DIGEST.sub("DIGEST", output.text)
        else:
            yield " ".join(sorted(output.data)), output.data.get("text/plain", "")


def close(one: str, other: str) -> bool:
    """Whether two numbers are the same; fractions up to what another processor's arithmetic makes of them."""
    if one == other:
        return True
    value, found = float(one.replace(",", "")), float(other.replace(",", ""))
    fraction = re.search(r"\.(\d+)", one)
    last = 2 * 10.0 ** -len(fraction[1]) if fraction and "e" not in one else 0.0
    return abs(value - found) <= max(last, 0.05 * abs(value))


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["lifecycle", "your-network", "your-table"]


@BY_NAME
def test_a_notebook_is_stored_executed_small_and_without_a_trace_of_the_machine(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size <= MOST_BYTES
    assert [cell.execution_count for cell in code_cells(notebook)] == [*range(1, len(code_cells(notebook)) + 1)]
    assert nbformat.writes(to_store(read(path))).strip() == path.read_text().strip()
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr" or output.output_type == "error"] == []
    assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text())


@BY_NAME
def test_a_link_of_a_notebook_leads_somewhere(path: Path) -> None:
    text = "".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    assert [target for target in re.findall(r"\]\(([^)]+)\)", text) if not (path.parent / target).is_file()] == []


@pytest.mark.slow
@BY_NAME
def test_a_notebook_runs_and_shows_what_is_stored(path: Path, tmp_path: Path) -> None:
    raw = executed(path, tmp_path)
    trained = [cell for cell in code_cells(raw) if "progress=True" in cell.source]
    widgets = [[output for output in cell.outputs if "widget-view" in str(output)] for cell in trained]
    assert all(len(found) == 1 for found in widgets), "a training has no progress bar"
    for stored, cell in zip(code_cells(read(path)), code_cells(to_store(raw)), strict=True):
        before, after = [*told(stored)], [*told(cell)]
        assert [kind for kind, _ in after] == [kind for kind, _ in before], cell.source
        for (_, expected), (_, found) in zip(before, after, strict=True):
            assert NUMBER.sub("N", found) == NUMBER.sub("N", expected), cell.source
            pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
            assert [pair for pair in pairs if not close(*pair)] == [], cell.source
