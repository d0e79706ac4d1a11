"""The files of a folder or a glob as one table to learn from."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from parity_runtime import InputError
from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_file import CsvDialect
from parity_runtime.tables.read_options import ReadOptions
from parity_runtime.tables.table_file import TableFile
from parity_runtime.tables.table_parts import table_parts


@dataclass(frozen=True)
class TableInParts(TableFile):
    """Files of one format, one after the other in the order of their names.

    Attributes:
        parts: the files.
        part_of_file: of each file whose rows validate, or are held out, which part they are: a place in `PARTS`.
    """

    parts: tuple[TableFile, ...] = ()
    part_of_file: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def found(cls, place: str, options: ReadOptions, tell: Callable[[str], None] = lambda _: None) -> "TableInParts":
        """Return the files of a folder or a glob.

        Args:
            place: the folder, or the glob.
            options: what the files' names do not say.
            tell: is told, in a sentence, what was found out about how the first file is written.

        Raises:
            InputError: there is no table, or they have several formats.
        """
        names = [part.path for part in table_parts([place], options.format)]
        parts = (TableFile.named(name, options, tell=tell if name == names[0] else lambda _: None) for name in names)
        return cls(place, dialect=CsvDialect(values=options.values()), tell=tell, parts=tuple(parts))

    @classmethod
    def with_others(cls, table: TableFile, others: Mapping[int, TableFile]) -> "TableInParts":
        """Return a table with files behind it whose rows validate, or are held out.

        Args:
            table: the rows that are trained on.
            others: the files by the part that they are, a place in `PARTS`.

        Raises:
            InputError: a file is named twice: its rows would be trained on as well.
        """
        files = {place: _files(other) for place, other in others.items()}
        parts = [*_files(table), *(part for found in files.values() for part in found)]
        seen = set[str]()
        for part in parts:
            place = os.path.realpath(part.name)
            if place in seen:
                raise InputError(f"{part.name} is named twice; a file cannot be trained on and held out as well")
            seen.add(place)
        part_of_file = {part.name: place for place, found in files.items() for part in found}
        return cls(
            table.name, table.format, table.dialect, tell=table.tell, parts=tuple(parts), part_of_file=part_of_file
        )

    def chunks(self, size: int | None) -> Iterator[Chunk]:
        """Read at most ``size`` rows at a time; a chunk never holds rows of two files.

        Raises:
            InputError: a file cannot be read, or is none of its format.
        """
        before = 0
        for part in self.parts:
            rows = 0
            for chunk in part.chunks(size):
                chunk.rows_before = before
                rows += len(chunk)
                yield chunk
            before += rows


def _files(table: TableFile) -> tuple[TableFile, ...]:
    return table.parts if isinstance(table, TableInParts) else (table,)
