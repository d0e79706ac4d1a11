"""What a manifest says of files and of the tensors in weights.bin."""

import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from parity_runtime.errors import FormatError
from parity_runtime.printable import shown

WEIGHTS = "weights.bin"
"""The file of large tensors; one of ``model.onnx`` that lies in it has exactly this text as its ``location``."""

ALIGNMENT = 4096
"""Where a tensor of weights.bin may begin, in bytes: at its multiples, so that a reader may map it alone."""

_LARGEST = 2**53  # bytes; a reader whose numbers are doubles knows every smaller one
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What the manifest says of one file: sha256 in lower-case hexadecimal, and its size in bytes."""

    sha256: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, manifest: str, name: str) -> "FileEntry":
        """Read the JSON form.

        Args:
            value: it.
            manifest: the manifest's path, for the error.
            name: of the file, for the error.

        Raises:
            FormatError: it is none.
        """
        match value:
            case {"sha256": str(digest), "size": size} if _DIGEST.fullmatch(digest) and _is_size(size):
                return cls(digest, size)
        raise FormatError(f"{manifest}: {shown(name)[1:-1]} is written as {{sha256, size}}, found {shown(value)}")


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """What the manifest says of one tensor in weights.bin.

    Attributes:
        offset: where it begins, in bytes; a multiple of `ALIGNMENT`.
        length: its bytes, at least one.
        sha256: of its bytes, in lower-case hexadecimal.
    """

    offset: int
    length: int
    sha256: str

    @property
    def end(self) -> int:
        """Where it ends, in bytes."""
        return self.offset + self.length

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str) -> "TensorEntry":
        """Read the JSON form.

        Raises:
            FormatError: it is none.
        """
        match value:
            case {"offset": offset, "length": length, "sha256": str(digest)} if (
                _is_size(offset) and _is_size(length) and length and _DIGEST.fullmatch(digest)
            ):
                return cls(offset, length, digest)
        raise FormatError(f"{where} is written as {{offset, length, sha256}}, found {shown(value)}")


def next_offset(end: int) -> int:
    """Return where the tensor begins that follows one which ends at ``end``."""
    return -(-end // ALIGNMENT) * ALIGNMENT


def parse_tensors(value: Any, file: FileEntry | None, where: str) -> dict[str, TensorEntry]:
    """Read the manifest's object ``tensors``; none where the package has no weights.bin.

    Args:
        value: the object; None where there is none.
        file: what the manifest says of weights.bin; None where it does not list it.
        where: the manifest's name, for the error.

    Raises:
        FormatError: it is none, or only one of the two is there, or the tensors do not fill the file.
    """
    if value is None and file is None:
        return {}
    if not isinstance(value, dict) or file is None:
        raise FormatError(
            f"{where} has 'tensors' without listing {WEIGHTS}"
            if file is None
            else f"{where} lists {WEIGHTS} and has no object 'tensors'"
        )
    tensors = {name: TensorEntry.from_json(entry, f"{where}: {shown(name)}") for name, entry in value.items()}
    check_layout(tensors, file.size, where)
    return tensors


def check_layout(tensors: dict[str, TensorEntry], size: int, where: str) -> None:
    """Refuse tensors that do not fill weights.bin one after another.

    Args:
        tensors: by name.
        size: of the file, in bytes.
        where: the manifest's name, for the error.

    Raises:
        FormatError: names the first that begins elsewhere than at the next multiple of `ALIGNMENT`, or the file is of
            another size than they.
    """
    placed = sorted(tensors.items(), key=lambda item: item[1].offset)
    if placed and placed[0][1].offset:
        raise FormatError(
            f"{where}: the first tensor, {shown(placed[0][0])}, begins at {placed[0][1].offset}, not at 0"
        )
    for (before, first), (name, entry) in pairwise(placed):
        if entry.offset < first.end:
            raise FormatError(f"{where}: the tensors {shown(before)} and {shown(name)} overlap")
        if entry.offset != next_offset(first.end):
            raise FormatError(
                f"{where}: the tensor {shown(name)} begins at {entry.offset}; the next multiple of {ALIGNMENT} behind "
                f"{shown(before)} is {next_offset(first.end)}"
            )
    end = placed[-1][1].end if placed else 0
    if end != size:
        raise FormatError(f"{where}: its tensors end at {end}, and {WEIGHTS} has {size} bytes")


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST
