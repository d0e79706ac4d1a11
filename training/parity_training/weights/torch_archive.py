"""Files of torch.save that are damaged: torch.load compares no checksum, and answers with other numbers."""

import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from parity_runtime import InputError
from parity_runtime.errors import first_line


def refuse_damaged(file: BinaryIO, path: Path) -> None:
    """Refuse a torn or altered archive; torch.save writes a checksum of each of its entries.

    A file that is no archive passes: torch's older format has no checksums. So does a compressed one, which is refused
    for that before anything of it is inflated.

    Raises:
        InputError: says what is damaged.
    """
    if not begins_as_zip(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
            # torch.serialization.set_crc32_options(False) writes zeros: then there is nothing to compare with.
            damaged = archive.testzip() if stored and any(entry.CRC for entry in entries) else None
    except Exception as error:  # zipfile raises its own, struct's, and others, as the damage comes
        raise _damaged(path, first_line(error)) from error
    finally:
        file.seek(0)
    if damaged is not None:
        raise _damaged(path, f"the checksum of {damaged} inside it does not fit its bytes")


def stored_bytes(file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    """Return an entry's bytes as they stand in the file, whatever its checksum is; it is stored, not compressed.

    The local header has 30 bytes, whose last four are the lengths of the name and of what follows it before the bytes
    (APPNOTE.TXT of the ZIP format, section 4.3.7).
    """
    file.seek(entry.header_offset)
    name, extra = struct.unpack("<26xHH", file.read(30))
    file.seek(name + extra, 1)
    return file.read(entry.compress_size)


def begins_as_zip(file: BinaryIO) -> bool:
    """Whether a file begins as torch.save's do: one whose end is torn is no less a damaged archive."""
    file.seek(0)
    begins = file.read(4) == b"PK\x03\x04" or is_zip(file)
    file.seek(0)
    return begins


def is_zip(file: BinaryIO) -> bool:
    """Whether a file ends as an archive does, a damaged one included, of which zipfile raises instead of answering."""
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:
        return True


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is damaged: {reason}; take an undamaged copy, or make it again")
