"""JSON Lines: one object a line."""

import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import compress
from typing import Any, BinaryIO, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.feature import ColumnKind
from parity_runtime.tables.arrow_json import number_column, parsed_lines
from parity_runtime.tables.category_cells import value_texts
from parity_runtime.tables.chunk import Refusal, Refused
from parity_runtime.tables.line_blocks import LineBlocks, line_ends
from parity_runtime.tables.text_chunk import TextChunk
from parity_runtime.tables.timestamp_cells import no_date, timestamp_values

_NUMBERS = {int, float, type(None)}
_NOTHING = object()
_BOM = b"\xef\xbb\xbf"
_SPACE = ord(" ")


class JsonChunk(TextChunk):
    """Some lines of a JSON Lines file.

    Args:
        where: the file's name.
        columns: the keys of the file's first object.
        rows: the lines, as in `TextChunk`, without white space around them.
        first_row: the number of the first in the file.
    """

    def __init__(self, where: str, columns: list[str], rows: bytes | list[bytes], first_row: int) -> None:
        super().__init__(rows)
        self.where, self.columns, self.first_row = where, columns, first_row

    @cached_property
    def table(self) -> Any:
        """The lines as a ``pyarrow.Table``, every one an object; None where they have to be looked at one by one."""
        return parsed_lines(self.block, self.ends) if "_parsed" not in self.__dict__ else None

    @cached_property
    def _parsed(self) -> tuple[list[dict[str, Any]], Refused]:
        objects: list[dict[str, Any]] = []
        malformed: Refused = {}
        for row, record in enumerate(self.records):
            try:
                objects.append(_parse_object(record))
            except (ValueError, RecursionError) as error:
                objects.append({})
                malformed[row] = Refusal(f"not a JSON object: {error}")
        return objects, malformed

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each line's object; an empty one for a line that holds none."""
        return self._parsed[0]

    @property
    def malformed(self) -> Refused:
        """The lines that hold no object."""
        return self._parsed[1] if self.table is None else {}

    def column(self, name: str) -> list[str]:
        """Return one key's values as text: text as it is, anything else as JSON."""
        self.refuse(self.malformed)
        if all(name not in value for value in self.objects):
            self.index(name)
        return [_text(value.get(name)) for value in self.objects]

    def texts(self, names: Sequence[str]) -> list[Sequence[str]]:
        """Return the values of each line as text."""
        if names == self.columns:
            self._refuse_other_keys()
        return [[self._written(row, name, value.get(name)) for name in names] for row, value in enumerate(self.objects)]

    def rewritten(self, row: int, names: Sequence[str]) -> str:
        """Return some members of a line as an object of their own.

        Raises:
            InputError: one of them cannot be written, as a number that float64 cannot hold.
        """
        found = self.objects[row]
        members = {name: found[name] for name in names if name in found}
        try:
            return _json(members)
        except (ValueError, RecursionError):
            for name, value in members.items():  # which one it is
                self._written(row, name, {name: value})
            raise

    def _written(self, row: int, name: str, value: Any) -> str:
        try:
            return "" if value is None else value if isinstance(value, str) else _json(value)
        except (ValueError, RecursionError) as error:
            problem = f"{name} cannot be written again ({error}); leave it out with {argument('columns')}"
            raise self.error(row, problem, name) from error

    def _refuse_other_keys(self) -> None:
        known = set(self.columns)
        for row, value in enumerate(self.objects):
            other = next((key for key in value if key not in known), None)
            if other is not None:
                raise InputError(
                    f"{self.place(row)} has a key {other!r}, which the first row has not, and CSV has one header; "
                    f"choose columns with {argument('columns')}, or write .jsonl"
                )

    def cell(self, row: int, name: str) -> str:
        """Return one value as text."""
        return _text(self.objects[row].get(name))

    def _read(self, names: Sequence[str]) -> tuple[NDArray[np.float64], Refused]:
        refused = dict(self.malformed)
        matrix = np.full((len(self), len(names)), np.nan)
        for place, name in enumerate(names):
            numbers = None if self.table is None else number_column(self.table, name, self.block)
            if numbers is not None:
                matrix[:, place] = numbers
                continue
            if self.first_row == 1 and all(name not in value for value in self.objects):
                self.index(name)
            values = [value.get(name, _NOTHING) for value in self.objects]
            if {*map(type, values)} <= _NUMBERS:
                matrix[:, place] = _floats(values)
            else:
                self._read_values(matrix[:, place], name, values, refused)
        return matrix, refused

    def categories(self, name: str, kind: ColumnKind = "categorical") -> NDArray[np.object_]:
        """Return a key's values as categories; what is neither text, number nor truth value as its JSON."""
        found = self._values(name)
        cells = [_nested(value) if isinstance(value, dict | list) else value for value in found]
        return value_texts(cells, kind, self.values)

    def timestamps(self, name: str, form: str | None = None) -> tuple[NDArray[np.int64], Refused]:
        """Return a key's values as seconds, and the rows whose value is no date."""
        cells = self._values(name)
        seconds, odd = timestamp_values(cells, form, self.values)
        problems = {row: no_date(name, json.dumps(cells[row])[:60], form) for row in odd}
        return seconds, {row: Refusal(problem, name) for row, problem in problems.items()}

    def unreadable(self, names: Sequence[str]) -> Refused:
        """Return the lines that hold no object, and those without one of these keys."""
        absent = {
            row: Refusal(f"there is no {name!r}", name)
            for name in reversed(names)
            for row, value in enumerate(self.objects)
            if name not in value
        }
        return absent | self.malformed

    def _values(self, name: str) -> list[Any]:
        """Return a key's values, None where a line has none.

        Raises:
            InputError: no line of the file's first has that key.
        """
        if self.first_row == 1 and all(name not in value for value in self.objects):
            self.index(name)
        return [value.get(name) for value in self.objects]

    def _cells(self, name: str) -> list[str]:
        return [_text(value) for value in self._values(name)]

    def _keep(self, rows: NDArray[np.bool_]) -> Self:
        return type(self)(self.where, self.columns, list(compress(self.records, rows)), self.first_row)

    def _read_values(self, out: NDArray[np.float64], name: str, values: list[Any], refused: Refused) -> None:
        from parity_runtime.tables.cell_patterns import spelling  # noqa: PLC0415 -- few tables need it

        texts = [value for value in values if isinstance(value, str)]
        found = spelling((text for text in texts if not self.values.is_missing(text, in_numbers=True)), self.values)
        for row, value in enumerate(values):
            if type(value) in _NUMBERS:
                out[row : row + 1] = _floats([value])
            elif value is _NOTHING:
                refused.setdefault(row, Refusal(f"there is no {name!r}", name))
            elif isinstance(value, str) and found and value in found.cells:
                problem = f"{name} is {json.dumps(value)[:60]}, {found.what} in quotes; write it as a JSON number"
                refused.setdefault(row, Refusal(problem, name))
            elif not (isinstance(value, str) and self.values.is_missing(value, in_numbers=True)):
                refused.setdefault(row, Refusal(f"{name} is {json.dumps(value)[:60]}, not a number", name))


def json_chunks(file: BinaryIO, where: str, size: int | None) -> Iterator[JsonChunk]:
    """Read JSON Lines, at most ``size`` rows at a time; empty lines are left out.

    Raises:
        InputError: the first line holds no object.
    """
    blocks = LineBlocks(file)
    columns: list[str] | None = None
    first, at_end = 1, False
    while not at_end:
        block, at_end = blocks.take(size)
        if columns is None:
            block = block.lstrip().removeprefix(_BOM)
        rows = _stripped(block)
        if columns is None and rows:
            columns = _keys(where, rows)
        if columns is not None and (rows or first == 1):
            chunk = JsonChunk(where, columns, rows, first)
            yield chunk
            first += len(chunk)
    if columns is None:
        raise InputError(f'{where} is empty; its lines must hold objects, such as {{"x": 1}}')


def _stripped(block: bytes) -> bytes | list[bytes]:
    """Return lines without white space around them, and without those that are empty."""
    block = block.strip()
    ends = line_ends(block)
    values = np.frombuffer(block, np.uint8)
    if (values[ends - 1] > _SPACE).all() and (values[ends + 1] > _SPACE).all():
        return block
    return [record for line in block.split(b"\n") if (record := line.strip())]


def _parse_object(record: bytes) -> dict[str, Any]:
    """Return the JSON object of one line.

    Raises:
        ValueError: it is none, a key stands twice, or it is not strict JSON (NaN, Infinity).
    """
    found = json.loads(record.decode(), object_pairs_hook=_object, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise ValueError(f"found {record.decode()[:40]!r}")  # noqa: TRY004 -- as json's own errors
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _keys(where: str, rows: bytes | list[bytes]) -> list[str]:
    """Return the keys of the first line that holds an object."""
    problem: Exception | None = None
    for record in rows if isinstance(rows, list) else io.BytesIO(rows):
        try:
            return list(_parse_object(record.rstrip()))
        except (ValueError, RecursionError) as error:
            problem = problem or error
    raise InputError(f"{where}, row 1: not a JSON object: {problem}; each line holds one") from problem


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _nested(value: Any) -> str:
    """Return a container's JSON; of one that is nested too deep, a text that no category is likely to be."""
    try:
        return _text(value)
    except RecursionError:
        return type(value).__name__


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _floats(values: list[Any]) -> NDArray[np.float64]:
    """Return numbers as float64; None is NaN, and an integer beyond float64 infinite."""
    try:
        return np.array([np.nan if value is None else float(value) for value in values], np.float64)
    except OverflowError:
        return np.array([np.nan if value is None else float(str(value)) for value in values], np.float64)
