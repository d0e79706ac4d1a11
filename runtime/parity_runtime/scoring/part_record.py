"""The small file that says of a part that it was scored, from which bytes, to which."""

import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from parity_runtime.errors import FormatError, InputError
from parity_runtime.files.json_file import FORMAT, check_format, dump_json, read_json
from parity_runtime.printable import shown


@dataclass(frozen=True)
class FileDigest:
    """What a file holds: its size in bytes, and its sha256 in hexadecimal."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: str | Path) -> Self:
        """Read a file.

        Raises:
            OSError: it cannot be read.
        """
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(file.tell(), digest)

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Read the JSON form.

        Raises:
            FormatError: it is none.
        """
        match value:
            case {"size": int(size), "sha256": str(digest)} if size >= 0 and re.fullmatch("[0-9a-f]{64}", digest):
                return cls(size, digest)
        raise FormatError(f"{where} is {shown(value)}, not a size and a sha256")

    def is_at(self, path: str | Path) -> bool:
        """Whether a file holds this; one of another size is not read."""
        try:
            return Path(path).stat().st_size == self.size and self.of(path) == self
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class PartRecord:
    """A part that was scored.

    Attributes:
        name: of the part.
        rows: that have a prediction.
        refused: rows that were left out, or have none.
        input: what its table held.
        output: what its answers hold.
        counts: of its rows, where the job counts; see `parity_runtime.scoring.chunk_observer.Tally`.
    """

    name: str
    rows: int
    refused: int
    input: FileDigest
    output: FileDigest
    counts: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without its format and the counts."""
        return {name: value for name, value in asdict(self).items() if name != "counts"}

    def dump(self) -> bytes:
        """Return the file."""
        return dump_json({"format": FORMAT, **self.to_json(), "counts": self.counts})

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a file; None where there is none.

        Raises:
            FormatError: it is none that Parity writes, or that this version reads.
            InputError: it cannot be read.
        """
        if not path.exists():
            return None
        value = read_json(path)
        check_format(value, str(path))
        match value:
            case {"name": str(name), "rows": int(rows), "refused": int(refused), "counts": dict() | None as counts}:
                read, written = (FileDigest.from_json(value.get(key), f"{path}: {key}") for key in ("input", "output"))
                return cls(name, rows, refused, read, written, counts)
        raise FormatError(f"{path} does not say what was scored")
