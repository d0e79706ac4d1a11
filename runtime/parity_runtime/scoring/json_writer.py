"""Answers as JSON Lines: each line's own text, or the chosen members written again, with the answers behind them."""

import json

import numpy as np

from parity_runtime.errors import InputError
from parity_runtime.scoring.prediction_columns import PredictionColumn, prefix_way_out
from parity_runtime.scoring.score_chunk import Scored
from parity_runtime.scoring.writer import Writer
from parity_runtime.tables.float_text import Cells, choice_cells, float32_cells, float32_text, interleaved, joined
from parity_runtime.tables.json_lines import JsonChunk


class JsonWriter(Writer[bytes]):
    """Writes JSON Lines; what is infinite or NaN is null, as JSON has no word for it."""

    def encode(self, scored: Scored) -> bytes:
        """Return the rows' lines."""
        chunk = scored.chunk
        if not isinstance(chunk, JsonChunk) or not len(chunk):
            return b""
        endings = self._endings(scored)
        openings = [self._opening(chunk, row) for row in range(len(chunk))]
        for row, opening in enumerate(openings):
            if opening.rstrip() == b"{":  # nothing stands before the answers
                endings[row] = endings[row].removeprefix(b", ")
        for row in chunk.malformed:  # not answered, and no object that could say so
            openings[row], endings[row] = chunk.records[row], b"\n"
        return interleaved(openings, endings)

    def write(self, piece: bytes) -> None:
        """Write encoded rows."""
        self.file.write(piece)

    def _endings(self, scored: Scored) -> list[bytes]:
        predictions = self.layout.chosen(scored.predictions)
        keys = [json.dumps(answer.name, ensure_ascii=False).encode() + b": " for answer in predictions]
        names = [b", " + key for key in keys]
        parts = [part for name, answer in zip(names, predictions, strict=True) for part in (name, _cells(answer))]
        endings = joined([*parts, b"}\n"], len(scored.chunk))
        for row in np.flatnonzero(scored.unpredicted):
            endings[row] = b"".join(name + b"null" for name in names) + b"}\n"
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


def _cells(answer: PredictionColumn) -> Cells:
    if answer.values.dtype == np.float32:
        return float32_cells(answer.values, _spelled)
    texts = [json.dumps(label, ensure_ascii=False).encode() for label in answer.classes or (False, True)]
    return choice_cells(answer.values.astype(np.intp), texts)


def _spelled(value: np.float32) -> str:
    return float32_text(value) if np.isfinite(value) else "null"
