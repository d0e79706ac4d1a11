"""How a table is written: what its name says, and what a caller says where it does not."""

import re
from dataclasses import dataclass
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.errors import InputError
from parity_runtime.tables.cell_values import CellValues

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".npy": "npy",
    ".parquet": "parquet",
    ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
"""The format of a file by its suffix, behind which .gz may stand; any other file is taken as CSV."""

_COMPRESSED = ".gz"

TEXT = ("csv", "jsonl")
"""The formats that can be read from stdin and written to stdout."""


@dataclass(frozen=True)
class ReadOptions:
    """How a table is written, where neither its name nor its first line says so; the same options in every command.

    Attributes:
        format: one of `FORMATS`' values; None for what the file's suffix says.
        delimiter: of CSV: what separates cells, one character, or ``tab``.
        header: of CSV: the names of the columns, where the file has no header line.
        missing_values: the cells that are missing beside the empty one; None for
            `parity_runtime.tables.cell_values.MISSING_TOKENS`, or what the package was trained with.
        decimal: of CSV: the decimal sign, ``.`` or ``,``.
        thousands: of CSV: what separates groups of three digits: one of ``,``, ``.``, ``'`` and a space.
        currency: of CSV: signs or codes beside numbers, which are left out.
        percent: of CSV: whether ``45%`` is the number 0.45.

    Raises:
        InputError: an option is none of these, or contradicts another.
    """

    format: str | None = None
    delimiter: str | None = None
    header: tuple[str, ...] = ()
    missing_values: tuple[str, ...] | None = None
    decimal: str | None = None
    thousands: str | None = None
    currency: tuple[str, ...] = ()
    percent: bool = False

    def __post_init__(self) -> None:
        separator = self.separator
        if separator is not None and (len(separator) != 1 or not separator.isascii() or separator.isalnum()
                                      or separator in '"\r\n\0+-. '):  # fmt: skip
            raise InputError(f"{argument('delimiter')} {separator!r} is not a single character that can separate cells")
        if self.decimal not in (None, ".", ","):
            raise InputError(f"{argument('decimal')} is {self.decimal!r}; it is a point or a comma")
        if self.thousands is not None and self.thousands not in (",", ".", "'", " "):
            raise InputError(
                f"{argument('thousands')} is {self.thousands!r}; it is a comma, a point, an apostrophe or a space"
            )
        if self.thousands == (self.decimal or "."):
            other = "," if self.thousands == "." else "."
            raise InputError(
                f"{argument('thousands')} {self.thousands} is the decimal sign as well; is that "
                f"{argument('decimal', other)}?"
            )
        if any(re.search(r"[\d.,+%-]", sign) or not sign for sign in self.currency):
            signs = ",".join(self.currency)
            raise InputError(f"{argument('currency')} {signs} is not a list of signs or codes, such as $,EUR")

    @property
    def separator(self) -> str | None:
        """The character that separates cells; None to find it."""
        return "\t" if self.delimiter == "tab" else self.delimiter

    @property
    def of_csv(self) -> list[str]:
        """The options that were given and mean nothing but in CSV, as the caller writes them."""
        names = ("delimiter", "header", "decimal", "thousands", "currency", "percent")
        return [argument(name) for name in names if getattr(self, name)]

    def values(self, trained: tuple[str, ...] | None = None) -> CellValues:
        """Return what cells mean; ``trained`` are the package's missing values, which count unless others are given."""
        missing = trained if self.missing_values is None else self.missing_values
        return CellValues(missing, self.decimal or ".", self.thousands or "", self.currency, self.percent)


def table_format(name: str, default: str = "csv") -> str:
    """Return the format that a file's suffix names; the default for any other suffix, and for stdin."""
    return FORMATS.get(Path(plain_name(name)).suffix.lower(), default)


def is_compressed(name: str) -> bool:
    """Whether a file's name says that it is compressed in a way that is read."""
    return name.lower().endswith(_COMPRESSED)


def plain_name(name: str) -> str:
    """Return a file's name as it would be decompressed."""
    return name[: -len(_COMPRESSED)] if is_compressed(name) else name
