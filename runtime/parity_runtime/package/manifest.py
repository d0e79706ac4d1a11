"""A model package on disk: its files, their digests, its contract."""

import hashlib
import os
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Self

from parity_runtime.contract import ModelContract
from parity_runtime.errors import DigestError, FormatError, InputError, ParityError
from parity_runtime.files.json_file import FORMAT, check_format, check_size, dump_json, parse_json
from parity_runtime.files.open_file import open_regular, read_regular
from parity_runtime.package.entries import WEIGHTS, FileEntry, TensorEntry, parse_tensors
from parity_runtime.package.weights import WeightsFile
from parity_runtime.printable import counted, shown

MANIFEST, CONTRACT, MODEL = "manifest.json", "contract.json", "model.onnx"
CERTIFIED_MODEL = "model_certified.onnx"
CONFORMANCE, REPORT, CARD = "conformance.json", "parity.json", "README.md"
PROFILE = "profile.json"
"""What the training rows looked like; also a file of a run. Not every package has one."""

EVALUATION = "evaluation.json"
"""How good the model is on rows that it was not trained on; also a file of a run. Not every package has one."""

_OLDEST_FORMAT = 2
_MAX_MANIFEST_BYTES = 2**24  # a package has some dozen files, and hundreds of tensors in weights.bin
_BLOCK = 2**20  # bytes of a file that are hashed at once


class Package:
    """A package folder, opened for reading. Files are read into memory, and checked against the manifest.

    >>> from parity_runtime import Package
    >>> package = Package.open("tests/data/xor")
    >>> package.contract
    ModelContract('xor', binary, 2 features, 2 classes)
    >>> package.read_json("contract.json")["classes"]
    [0, 1]

    Attributes:
        path: the folder.
        id: the package id: SHA-256 of manifest.json, in hexadecimal. It identifies the package and all its files.
        manifest: the bytes of manifest.json.
        entries: the files that the manifest lists, by relative path.
        tensors: the tensors in weights.bin that the manifest lists, by name; empty if there is no such file.
    """

    def __init__(self, path: Path, manifest: bytes) -> None:
        self.path = path
        self._folder = path.absolute()  # the process may change its folder before the files are read
        self.manifest = manifest
        self.id = hashlib.sha256(manifest).hexdigest()
        self.entries, self.tensors = _parse_manifest(manifest, str(path / MANIFEST))

    def __repr__(self) -> str:
        return f"Package({str(self.path)!r}, {counted(len(self.entries), 'file')}, id {self.id[:12]})"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows; None, which is `repr`, where the contract cannot be read."""
        from parity_runtime.package.contract_view import contract_view  # noqa: PLC0415 -- for notebooks alone

        try:
            contract = self.contract
        except ParityError:
            return None
        size = sum(entry.size for entry in self.entries.values())
        told = [
            ("error bounds", "in a certified graph" if "certified" in contract.graphs else "none"),
            ("files", f"{len(self.entries)}, {size:,} bytes"),
            ("path", self.path),
            ("package id", self.id),
        ]
        return contract_view(f"Package {contract.name}", contract, told)

    @classmethod
    def open(cls, path: str | Path, digest: str | None = None) -> Self:
        """Return the package at ``path``; only its manifest is read.

        Args:
            path: the package folder.
            digest: the expected package id; None accepts any.

        Raises:
            InputError: there is no package.
            FormatError: the manifest is malformed or newer than this version.
            DigestError: the package is not the one that ``digest`` names.
        """
        path = Path(path)
        file = path / MANIFEST
        try:
            manifest = read_regular(file, _MAX_MANIFEST_BYTES)
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # the last of a name that no file has
            raise InputError(f"{path} is not a package: {_lacking(path)}; write one with parity export") from error
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from error
        if len(manifest) > _MAX_MANIFEST_BYTES:
            raise FormatError(f"{file} is larger than {_MAX_MANIFEST_BYTES} bytes")
        package = cls(path, manifest)
        if digest is not None:
            check_digest(package.id, digest, f"{path} is the package")
        return package

    def was_replaced(self) -> bool:
        """Return whether another package has taken its place in the folder, as ``parity export --force`` does."""
        return Package.open(self.path).id != self.id

    def read(self, name: str) -> bytes:
        """Return a file's bytes, checked against the manifest.

        Args:
            name: the file's path in the package.

        Raises:
            FormatError: the manifest does not list the file.
            DigestError: the file is missing, or not the one that was packaged.
        """
        return b"".join(self.blocks(name, 2**62))

    def blocks(self, name: str, size: int = _BLOCK) -> Iterator[bytes]:
        """Yield a file's bytes in blocks. After the last block they are checked against the manifest.

        Args:
            name: the file's path in the package.
            size: the size of a block, in bytes.

        Raises:
            FormatError: the manifest does not list the file.
            DigestError: the file is missing, or not the one that was packaged.
        """
        entry = self.entries.get(name)
        if entry is None:
            raise FormatError(f"{self.path / MANIFEST} does not list {name}; export the package again")
        sha256, left = hashlib.sha256(), entry.size + 1
        try:
            with open_regular(self._folder / name) as file:
                left = min(os.fstat(file.fileno()).st_size, entry.size) + 1
                while block := file.read(min(size, left)):
                    sha256.update(block)
                    left -= len(block)
                    yield block
        except OSError as error:
            raise DigestError(
                f"{self.path / name} cannot be read: {error.strerror}; copy the whole package again"
            ) from error
        if left != 1 or sha256.hexdigest() != entry.sha256:
            raise DigestError(
                f"{self.path / name} is not the file that was packaged (its sha256 differs); copy the package again"
            )

    def open_weights(self) -> WeightsFile:
        """Open weights.bin, and return it. It stays readable if the package is replaced.

        Raises:
            FormatError: the manifest does not list weights.bin.
            DigestError: weights.bin is missing, or has another size.
        """
        if WEIGHTS not in self.entries:
            raise FormatError(f"{self.path / MANIFEST} does not list {WEIGHTS}; export the package again")
        size = self.entries[WEIGHTS].size
        return WeightsFile(self._folder / WEIGHTS, self.path / WEIGHTS, size, self.tensors)

    def read_json(self, name: str) -> dict[str, Any]:
        """Check the digest and the format of a JSON file, and return its object.

        Args:
            name: the file's path in the package.

        Raises:
            FormatError: the manifest does not list the file; or it is not a JSON object, is too large, or has the
                format of a newer Parity, or that of Parity 0.1.0, whose certified graphs named their outputs otherwise.
            DigestError: the file is missing, or not the one that was packaged.
        """
        where = str(self.path / name)
        if name in self.entries:
            check_size(self.entries[name].size, where)
        value = parse_json(self.read(name), where)
        if check_format(value, where) < _OLDEST_FORMAT:
            certified = CERTIFIED_MODEL in self.entries
            raise FormatError(
                f"{where} has the format {value['format']}, which an earlier Parity wrote, and this version "
                f"reads {FORMAT}; export the package again: parity export ... {shlex.quote(str(self.path))} --force"
                f"{' --certified' if certified else ''}"
            )
        return value

    @cached_property
    def contract_json(self) -> dict[str, Any]:
        """What contract.json holds."""
        return self.read_json(CONTRACT)

    @cached_property
    def contract(self) -> ModelContract:
        """The contract in contract.json."""
        contract = ModelContract.from_json(self.contract_json, str(self.path / CONTRACT))
        if "default" not in contract.graphs:
            raise FormatError(f"{self.path / CONTRACT} names no default graph")
        return contract

    def unlisted(self) -> list[str]:
        """Return the relative paths of files in the folder that the manifest does not list, sorted."""
        listed = set(self.entries) | {MANIFEST}
        folders = {parent.as_posix() for name in listed for parent in PurePosixPath(name).parents}
        found = {path.relative_to(self._folder).as_posix(): path for path in self._folder.rglob("*")}
        plain = {name for name, path in found.items() if not path.is_symlink() and path.is_dir()}
        return sorted((set(found) - plain - listed) | (plain - folders))


def check_digest(found: str, expected: str, what: str) -> None:
    """Raise `DigestError` unless two sha256 are the same; ``expected`` may begin with ``sha256:``."""
    if not isinstance(expected, str):
        raise InputError(f"digest is {expected!r}; give it as text, in hexadecimal")
    if found != expected.strip().lower().removeprefix("sha256:"):
        raise DigestError(f"{what} {found}, not {expected}; take the one that was meant")


def write_manifest(
    folder: Path,
    tensors: Mapping[str, TensorEntry] | None = None,
    known: Mapping[str, FileEntry] | None = None,
) -> str:
    """Write manifest.json over every file in ``folder`` and return the package's id.

    Args:
        folder: of the package.
        tensors: those of weights.bin, by name; None where there is no such file.
        known: of files that were hashed while they were written, by path in the package; they are not read again.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    entries = {path.relative_to(folder).as_posix(): path for path in files}
    listed = {name: ((known or {}).get(name) or _entry_of(path)).to_json() for name, path in entries.items()}
    value: dict[str, Any] = {"format": FORMAT, "files": listed}
    if tensors is not None:
        value["tensors"] = {name: entry.to_json() for name, entry in tensors.items()}
    manifest = dump_json(value)
    (folder / MANIFEST).write_bytes(manifest)
    return hashlib.sha256(manifest).hexdigest()


def _lacking(path: Path) -> str:
    """Return why a path without a manifest is no package."""
    if path.is_dir():
        return f"it has no {MANIFEST}"
    return "it is a file, not a folder" if path.exists() else "there is no such folder"


def _entry_of(path: Path) -> FileEntry:
    sha256, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            size += len(block)
    return FileEntry(sha256.hexdigest(), size)


def _parse_manifest(data: bytes, where: str) -> tuple[dict[str, FileEntry], dict[str, TensorEntry]]:
    value = parse_json(data, where)
    check_format(value, where)
    files = value.get("files")
    if not isinstance(files, dict):
        raise FormatError(f"{where} has no object 'files'")
    for name in files:
        _check_name(name, where)
    entries = {name: FileEntry.from_json(entry, where, name) for name, entry in files.items()}
    return entries, parse_tensors(value.get("tensors"), entries.get(WEIGHTS), where)


def _check_name(name: str, where: str) -> None:
    """Refuse a name that is no path of a file inside the package, written in the one way that there is."""
    if "\\" in name or not name.isprintable() or any(part in ("", ".", "..") for part in name.split("/")):
        raise FormatError(f"{where} lists {shown(name)}, which is not a path inside the package")
