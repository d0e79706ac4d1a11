"""The files of a folder or a glob as one table to learn from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from parity_runtime.tables.chunk import Chunk
from parity_runtime.tables.csv_file import CsvDialect
from parity_runtime.tables.table_file import ReadOptions, TableFile
from parity_runtime.tables.table_parts import table_parts


@dataclass(frozen=True)
class TableInParts(TableFile):
    """Files of one format, one after the other in the order of their names.

    Attributes:
        parts: the files.
    """

    parts: tuple[TableFile, ...] = ()

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
