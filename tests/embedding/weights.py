"""XOR with its tensors in weights.bin, and the ways in which such a package is wrong that every example refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path

from parity_runtime.package.entries import WEIGHTS
from tests.runtime.external_weights import Tensor, change_manifest, externalize

DATA = Path(__file__).parent.parent / "data"


def weights_package(folder: Path, change: Callable[[Tensor], object] = lambda _: None) -> Path:
    """Make the package; ``change`` is done to its first tensor, as both graphs describe it."""
    copy = Path(shutil.copytree(DATA / "xor_certified", folder / "weights"))
    return externalize(copy, lambda tensor: tensor.name == "linear1.weight" and change(tensor) and None)


def _torn(package: Path) -> None:
    (package / WEIGHTS).write_bytes((package / WEIGHTS).read_bytes()[:-1])


def _changed(package: Path) -> None:
    data = bytearray((package / WEIGHTS).read_bytes())
    data[0] ^= 1
    (package / WEIGHTS).write_bytes(data)


def _of_manifest(change: Callable[[dict], object]) -> Callable[[Path], None]:
    return lambda package: change_manifest(package, lambda found: change(found) and None)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn": (_torn, WEIGHTS),
    "changed": (_changed, f"{WEIGHTS} is not the file that was packaged"),
    "missing": (lambda package: (package / WEIGHTS).unlink(), WEIGHTS),
    "tensors that nobody lists": (_of_manifest(lambda found: found.pop("tensors")), "tensors"),
    "a file that nobody lists": (_of_manifest(lambda found: found["files"].pop(WEIGHTS)), "tensors"),
    "a place that is no multiple": (
        _of_manifest(lambda found: found["tensors"]["linear1.bias"].update(offset=4100)),
        "linear1.bias",
    ),
}
"""What is done to a package, and a word of the message."""

GRAPHS: dict[str, Callable[[Tensor], object]] = {
    "another file": lambda tensor: tensor.external.update(location="/etc/passwd"),
    "a file outside": lambda tensor: tensor.external.update(location=f"../{WEIGHTS}"),
    "another place": lambda tensor: tensor.external.update(offset="4096"),
    "a key of its own": lambda tensor: tensor.external.update(checksum="0"),
    "another length": lambda tensor: tensor.external.update(length="64"),
    "a tensor that nobody hands over": lambda tensor: setattr(tensor, "name", "unknown"),
}
"""What a graph may say of its first tensor that the manifest does not."""
