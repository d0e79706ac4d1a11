"""Answers as JSON Lines: each line's own text, or the chosen members written again, with the answers behind them."""

import json

import numpy as np

from parity_runtime.errors import InputError
from parity_runtime.scoring.prediction_columns import PredictionColumn, prefix_way_out
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.writer import Text, Writer
from parity_runtime.tables.arrow_lines import Choices, Column, Floats, Part, arrow_lines, worth_joining
from parity_runtime.tables.float_text import float32_text, interleaved, joined
from parity_runtime.tables.json_lines import JsonChunk

_SPACE, _OPEN = b" {"


class JsonWriter(Writer[list[Text]]):
    """Writes JSON Lines; what is infinite or NaN is null, as JSON has no word for it."""

    def encode(self, scored: Scored) -> list[Text]:
        """Return the rows' lines."""
        chunk = scored.chunk
        if not isinstance(chunk, JsonChunk) or not len(chunk):
            return []
        parts = self._parts(scored)
        if not scored.unpredicted.any() and self._keeps(chunk) and worth_joining(chunk.block, len(chunk), parts):
            # The brace behind a row's answers is the one that stands before the next line in the block.
            return [arrow_lines(chunk.block[:-1], chunk.ends - 1, parts), b"}\n"]
        return [self._line_by_line(chunk, scored, parts)]

    def write(self, piece: list[Text]) -> None:
        """Write encoded rows."""
        self.file.writelines(piece)

    def _keeps(self, chunk: JsonChunk) -> bool:
        """Whether all lines are objects that stand as they are, with members and no white space at their end."""
        if self.layout.table != chunk.columns or chunk.table is None:
            return False
        before = np.frombuffer(chunk.block, np.uint8)[chunk.ends - 2]
        is_plain = (before > _SPACE).all() and (before != _OPEN).all()
        return bool(is_plain) and not {*self.layout.predictions} & {*chunk.table.column_names}

    def _line_by_line(self, chunk: JsonChunk, scored: Scored, parts: list[Part]) -> bytes:
        endings = self._endings(scored, parts)
        openings = [self._opening(chunk, row) for row in range(len(chunk))]
        for row, opening in enumerate(openings):
            if opening.rstrip() == b"{":  # nothing stands before the answers
                endings[row] = endings[row].removeprefix(b", ")
        for row in chunk.malformed:  # not answered, and no object that could say so
            openings[row], endings[row] = chunk.records[row], b"\n"
        return interleaved(openings, endings)

    def _parts(self, scored: Scored) -> list[Part]:
        """Return the answers' members, as they stand behind a line's own."""
        predictions = self.layout.chosen(scored.predictions)
        names = [b", " + json.dumps(answer.name, ensure_ascii=False).encode() + b": " for answer in predictions]
        return [part for name, answer in zip(names, predictions, strict=True) for part in (name, _column(answer))]

    def _endings(self, scored: Scored, parts: list[Part]) -> list[bytes]:
        cells = [part if isinstance(part, bytes) else part.cells() for part in parts]
        endings = joined([*cells, b"}\n"], len(scored.chunk))
        nothing = b"".join(part + b"null" for part in parts if isinstance(part, bytes))
        for row in np.flatnonzero(scored.unpredicted):
            endings[row] = nothing + b"}\n"
        return endings

    def _opening(self, chunk: JsonChunk, row: int) -> bytes:
        """Return a line without its closing brace."""
        found = chunk.objects[row]
        for name in self.layout.predictions:
            if name in found:
                way_out = f"rename it, or {prefix_way_out()}, so that neither is lost"
                raise InputError(f"{chunk.place(row)} has a key {name!r} already; {way_out}")
        if self.layout.table == chunk.columns:
            return chunk.records[row][:-1].rstrip()
        return chunk.rewritten(row, self.layout.table)[:-1].encode(errors="backslashreplace")


def _column(answer: PredictionColumn) -> Column:
    if answer.values.dtype == np.float32:
        return Floats(answer.values, _spelled)
    texts = [json.dumps(label, ensure_ascii=False).encode() for label in answer.classes or (False, True)]
    return Choices(answer.values.astype(np.intp), texts)


def _spelled(value: np.float32) -> str:
    return float32_text(value) if np.isfinite(value) else "null"
