"""What pyarrow spells and puts together has the bytes of numpy's way."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from parity_runtime.tables import plain_numbers
from parity_runtime.tables.arrow_lines import Choices, Column, Floats, arrow_lines
from parity_runtime.tables.float_text import float32_text, joined
from tests.runtime.test_float_text import VALUES

pytest.importorskip("pyarrow")
ROWS = 5000  # more than pyarrow is imported for


def texts(column: Column) -> list[bytes]:
    return [bytes(text) for text in column.texts().to_pylist()]


@pytest.mark.parametrize("kind", VALUES)
def test_every_number_is_spelled_the_same(kind: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.asarray(VALUES[kind]).astype(np.float32)
    assert texts(Floats(values)) == joined([Floats(values).cells()], len(values))


@pytest.mark.parametrize("step", [4, 4000])  # few numbers, and many, that pyarrow would spell otherwise
def test_numbers_that_are_spelled_otherwise_stand_among_the_others(step: int) -> None:
    values = np.linspace(0.1, 0.9, ROWS, dtype=np.float32)
    odd = np.array([1.0, np.nan, 1e-7, -0.0, np.inf, 2e20, 1e-4], np.float32)
    values[::step] = np.resize(odd, len(values[::step]))
    assert texts(Floats(values)) == [float32_text(value).encode() for value in values]
    column = Floats(values[::-1], lambda value: "null" if np.isnan(value) else float32_text(value))
    assert texts(column) == joined([column.cells()], ROWS)


def test_each_piece_of_a_block_has_its_rows_parts_behind_it() -> None:
    choices = Choices(np.array([1, 0, 1]), [b"no", "vielleicht é".encode()])
    numbers = Floats(np.array([0.5, 1, 1e-9], np.float32))
    found = arrow_lines("a\nbé\n".encode(), np.array([1, 5, 5]), [b":", choices, b"|", numbers], b"")
    assert bytes(found).decode() == "a:vielleicht é|0.5\nbé:no|1.0:vielleicht é|1e-09"
    assert bytes(arrow_lines(b"1\n2", np.array([1, 3]), [Floats(np.array([0.5, 0.25], np.float32))], b";")) == (
        b"1;0.5\n2;0.25"
    )


def points() -> NDArray[np.float32]:
    found = np.random.default_rng(0).uniform(-4, 4, (ROWS, 2)).astype(np.float32)
    found[::50] = 0
    found[1::50] = 1e5  # probabilities that need an exponent
    return found


def written(names: list[str], newline: str, tail: str = "") -> str:
    rows = [f"é{row},{x}, {y} " for row, (x, y) in enumerate(points())]
    return newline.join([",".join(names), *rows]) + newline + tail


TABLES = {
    "plain": written(["id", "x1", "x2"], "\n"),
    "without an end": written(["id", "x1", "x2"], "\n").removesuffix("\n"),
    "carriage returns": written(["id", "x1", "x2"], "\r\n"),
    "empty lines": written(["id", "x1", "x2"], "\n\n", "\n\n"),
    "quotes": written(["id", "x1", "x2"], "\n", '"two\nlines",0,1\n'),
    "a row without an answer": written(["id", "x1", "x2"], "\n", "odd,abc,1\n" * 3),
    "a short row": written(["id", "x1", "x2"], "\n", "odd,1\n"),
    "tabs": written(["id", "x1", "x2"], "\n").replace(",", "\t"),
    "decimal commas": written(["id", "x1", "x2"], "\n").replace(",", ";").replace(".", ","),
}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("errors", ["null", "skip"])
def test_a_table_has_the_same_bytes_without_pyarrow(
    parity: Any, xor_package: Path, tmp_path: Path, kind: str, errors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.csv"
    table.write_bytes(TABLES[kind].encode())
    command = ("predict", xor_package, table, "--errors", errors)
    found = parity(*command)
    small = parity(*command, "--batch-size", 100, "--threads", 1)
    monkeypatch.setattr(plain_numbers, "has_pyarrow", lambda: False)
    assert found.code == 0 and len(found.out) > len(TABLES[kind])
    assert found.out == small.out == parity(*command).out


LINES = {
    "plain": lambda row, x, y: json.dumps({"id": f"é{row}", "x1": x, "x2": y}, ensure_ascii=False),
    "spaces": lambda row, x, y: f' {{ "id" : {row},"x1": {x}, "x2" : {y} }} \r',
    "nested": lambda row, x, y: json.dumps({"tags": [{"a": row}], "x1": x, "x2": y}),
    "an empty object now and then": lambda row, x, y: json.dumps({"x1": x, "x2": y} if row % 99 or not row else {}),
    "a key that is ours": lambda row, x, y: json.dumps({"x1": x, "x2": y} | ({} if row < 4000 else {"label": 1})),
    "whole numbers": lambda row, x, y: json.dumps({"x1": int(x), "x2": int(y)}),
    "missing": lambda row, x, y: json.dumps({"x1": x, "x2": y if row != 4500 else None}),
}


@pytest.mark.parametrize("kind", LINES)
def test_json_lines_have_the_same_bytes_without_pyarrow(
    parity: Any, xor_package: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.jsonl"
    rows = [LINES[kind](row, float(x), float(y)) for row, (x, y) in enumerate(points())]
    table.write_bytes("\n".join(rows).encode())
    command = ("predict", xor_package, table, "--errors", "null")
    found, small = parity(*command), parity(*command, "--batch-size", 100)
    monkeypatch.setattr(plain_numbers, "has_pyarrow", lambda: False)
    without = parity(*command)
    assert (found.code, found.err) == (without.code, without.err)
    if found.code == 0:
        assert found.out == small.out == without.out
    assert found.code == (1 if kind == "a key that is ours" else 0)
