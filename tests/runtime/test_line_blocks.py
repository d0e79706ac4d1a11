"""Lines that are taken from a file as blocks of bytes are the lines of the file."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime.tables import line_blocks
from parity_runtime.tables.line_blocks import LineBlocks, without_empty_lines

TEXT = st.lists(st.sampled_from([b"a", b"\n", b"bc\n", b"\r\n"]), max_size=40).map(b"".join)


@given(text=TEXT, counts=st.lists(st.integers(1, 5), min_size=1), piece=st.integers(1, 9), longest=st.integers(1, 30))
def test_blocks_are_the_lines_whatever_is_read_at_once(
    text: bytes, counts: list[int], piece: int, longest: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks, "_PIECE", piece)
        patch.setattr(line_blocks, "_LONGEST", longest)
        blocks, found, at_end = LineBlocks(io.BytesIO(text)), [], False
        while not at_end:
            count = counts[len(found) % len(counts)]
            block, at_end = blocks.take(count)
            assert block.count(b"\n") <= count and (at_end or block.endswith(b"\n"))
            found.append(block)
    assert b"".join(found) == text


def test_short_lines_fill_each_block() -> None:
    blocks = LineBlocks(io.BytesIO(b"1\n22\n333\n\n5"))
    assert [blocks.take(2), blocks.take(2), blocks.take(2)] == [(b"1\n22\n", False), (b"333\n\n", False), (b"5", True)]


def test_lines_that_were_given_back_come_next() -> None:
    blocks = LineBlocks(io.BytesIO(b"1\n2\n3"))
    first = next(blocks.lines())
    assert first == b"1\n"
    blocks.give_back(b"0\n" + first)
    assert list(blocks.lines()) == [b"0\n", b"1\n", b"2\n", b"3"]
    assert blocks.take(None) == (b"", True)


def test_a_pipe_gives_the_lines_that_it_has() -> None:
    """A reader that waited for more would never answer a writer that waits for the answer."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as end:
        blocks = LineBlocks(file)
        for line in (b"1\n", b"2\n"):
            end.write(line)
            assert blocks.take(1) == (line, False)


@given(TEXT)
def test_empty_lines_are_left_out(text: bytes) -> None:
    assert without_empty_lines(text) == b"\n".join(line for line in text.split(b"\n") if line)


def test_a_long_line_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_blocks, "_PIECE", 4)
    monkeypatch.setattr(line_blocks, "_LONGEST", 4)
    blocks = LineBlocks(io.BytesIO(b"1\n" + b"2" * 50 + b"\n3\n4\n"))
    assert [blocks.take(9)[0] for _ in range(3)] == [b"1\n", b"2" * 50 + b"\n3\n", b"4\n"]
