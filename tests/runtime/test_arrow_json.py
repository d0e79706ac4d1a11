"""JSON Lines that pyarrow's parser reads mean what Python's says, or are left to it."""

import json
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime.tables import arrow_json, plain_numbers
from parity_runtime.tables.json_lines import JsonChunk

pytest.importorskip("pyarrow")
PLAIN = b'{"a": 1.5, "b": 2}'

LINES = [
    b'{"a": 1, "a": 2}', b'{"a": 1, "b": {"c": 1, "c": 2}}', b'{"\\u0061": 1, "a": 2}', b'{"a": 1}{"a": 2}',
    b'{"a": 1} {"a": 2}', b'{"a": 1, "c": ' + b"1" * 5000 + b"}", b'{"a": 1, "c": [' + b"1" * 5000 + b"]}",
    b'{"a": 01}', b'{"a": +1}', b'{"a": .5}', b'{"a": 1.}', b'{"a": 1.e5}', b'{"a": 0x1}', b'{"a": -}', b'{"a": 1_0}',
    b'{"a": 1e400}', b'{"a": 1e-400}', b'{"a": -0}', b'{"a": -0.0}', b'{"a": -0e3}', b'{"a": 1E+2}',
    b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": Inf}', b'{"a": "NaN"}',
    b'{"a": 12345678901234567890}', b'{"a": 9007199254740993}',
    b'{"a": ' + b"1" * 5000 + b"}", b'{"a": ' + b"1" * 300 + b"}",
    b'{"a": true}', b'{"a": null}', b'{"a": "1"}', b'{"a": [1]}', b'{"a": {}}', b"{}", b'{"b": 1}', b'{"a": 1,}',
    b'{"a": 1 /* */}',
    b"[1]", b"1", b'{"a": 1}x', b'{"a": 1', b'{"a": 1}\0}', b'{"a": "\0"}', b'{"a": "\x01"}', b'{"a": 1, "c": "\xff"}',
    b'{"a": 1, "c": "\\ud800"}', b'{"a": 1, "c": "\\udc00"}', b'{"a": 1, "c": "\\q"}', b"{'a': 1}",
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": 1, "c": ' + b"[" * 200 + b"]" * 200 + b"}", b'{"a": 1, "c": ' + b'{"d":' * 3000 + b"1" + b"}" * 3001,
    b'{"a": 1, "c": "2020-01-01"}', b'{"a": 1, "": 2}', b'{\t"a"\r:1\t}',
]  # fmt: skip


def read(lines: list[bytes], names: list[str]) -> tuple[list[list[int]], object, object]:
    chunk = JsonChunk("t", ["a", "b"], lines, 2)
    matrix, refused = chunk.read(names)
    return matrix.view(np.int64).tolist(), refused, chunk.malformed


def as_python(lines: list[bytes], names: list[str]) -> tuple[list[list[int]], object, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_numbers, "has_pyarrow", lambda: False)
        return read(lines, names)


@pytest.fixture(autouse=True)
def few_rows_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_numbers, "_FEW", 1)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_is_read_as_python_reads_it(line: bytes, place: int) -> None:
    lines = [PLAIN, PLAIN]
    lines.insert(place, line)
    for found in (lines, [line]):
        assert read(found, ["a"]) == as_python(found, ["a"])


MEMBERS = st.dictionaries(
    st.sampled_from("abc"),
    st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False), st.none(),
              st.booleans(), st.text(max_size=3), st.lists(st.integers(), max_size=2)),
)  # fmt: skip
BROKEN = st.sampled_from([b"{", b"}", b"[", b",", b'"', b"-0", b"{}", b"NaN", b"\0", b" "])


@given(rows=st.lists(MEMBERS, min_size=1, max_size=5), broken=BROKEN, cuts=st.lists(st.integers(0, 60), max_size=1))
def test_any_lines_are_read_as_python_reads_them(rows: list[dict[str, object]], broken: bytes, cuts: list[int]) -> None:
    lines = [json.dumps(row).encode() for row in rows]
    for cut in cuts:
        row = cut % len(lines)
        lines[row] = (lines[row][:cut] + broken + lines[row][cut:]).strip() or b"{}"
    assert read(lines, ["a", "b"]) == as_python(lines, ["a", "b"])


def test_numbers_go_without_python_objects() -> None:
    chunk = JsonChunk("t", ["a", "b"], [PLAIN] * 3, 1)
    assert chunk.read(["a", "b"])[0].tolist() == [[1.5, 2.0]] * 3
    assert not chunk.malformed and "_parsed" not in chunk.__dict__


def test_many_brackets_on_one_line_are_not_handed_to_a_parser_that_recurses() -> None:
    deep = b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}"
    block = b"\n".join(chain([PLAIN] * 9, [deep]))
    ends = JsonChunk("t", ["a"], block, 1).ends
    assert arrow_json.parsed_lines(block, ends) is None
    assert arrow_json.parsed_lines(block[: ends[-2]], ends[:-1]).num_rows == 9
