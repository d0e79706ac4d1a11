"""python fuzz.py PROGRAM PACKAGE [COUNT [EVERY]]: hostile copies of a package; each gives one clear line, and no crash.

Most copies are sealed again: their manifest fits them, so that what reads the files sees them. Meant for the program
with the sanitizers (make fuzz).
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

NUMBERS: list[Any] = [-1, 0, 3, 1e308, -0.5, 2**31, 2**62, 2**63 - 1, 2**64]
VALUES = [*NUMBERS, None, True, "", "x", "../x", "float16", [], {}, [[]]]
SHAPES = [[2**62, 2**62], [2**32, 2**32], [2**31, 2**33, 4], [-1, 2], [0], [1] * 17, [2**63 - 1], [0, 2**62, 2**62]]
HEADS = ['{"format": "parity/3"}', '{"format": "parity/01"}', '{"format": 1}', '{"format": "parity/2"}']
REPEATED = '{"format": "parity/2", "format": "parity/2"}'
TEXTS = [*HEADS, REPEATED, "", "{", "[]", "nan", "\x00", "[" * 100_000, '{"a":' * 100_000]
Damage = Callable[[Path], None]


def main(program: str, package: str, count: str = "300", every: str = "1") -> int:
    """Run every kind of damage, or one of so many; return the exit code."""
    rng, bad, exits = random.Random(0), 0, {0: 0, 1: 0, 3: 0}  # noqa: S311 -- the same copies each time
    for name, damage in islice(damages(rng, Path(package), int(count)), 0, None, int(every)):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "package"
            shutil.copytree(package, copy)
            damage(copy)
            for code, lines in run(program, copy):
                exits[code] = exits.get(code, 0) + 1
                if code not in (0, 1, 3) or len(lines) != (code != 0):
                    bad += 1
                    print(f"{name}: exit {code}: {lines[:3]}")
    print(f"{sum(exits.values())} runs, exits {exits}, {bad} bad")
    return 3 if bad else 0


def run(program: str, copy: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the exit code and the lines on stderr of each command."""
    for command in (["verify", str(copy)], ["predict", str(copy), "0,0"], ["predict", str(copy), "1,a,,true,1,3"]):
        result = subprocess.run([program, *command], capture_output=True, timeout=60, check=False)
        yield result.returncode, result.stderr.decode(errors="replace").splitlines()


def damages(rng: random.Random, package: Path, count: int) -> Iterator[tuple[str, Damage]]:
    """Give names and ways to damage a copy."""
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    documents = ["contract.json", "conformance.json", "manifest.json"]
    yield from links()
    for name in files:
        yield f"a flipped bit in {name}", partial(flip, name, rng)
        yield f"a truncated {name}", partial(truncate, name)
    for name in documents:
        for text in TEXTS:
            yield f"{name} is {text[:30]!r}", partial(rewrite, name, partial(replaced, text))
    for turn in range(count):
        name = documents[turn % 3]
        yield f"{name}, changed {turn}", partial(rewrite, name, partial(changed, rng))
        yield f"{name}, flipped {turn}", partial(rewrite, name, partial(flipped, rng))


def links() -> Iterator[tuple[str, Damage]]:
    """Give damage to the folder rather than to a file."""
    yield "a link that leads out", partial(instead, lambda path: path.symlink_to("/etc/passwd"))
    yield "a link to itself", partial(instead, lambda path: path.symlink_to(path.name))
    yield "a pipe", partial(instead, os.mkfifo)
    yield "a folder", partial(instead, Path.mkdir)
    yield "an unlisted file", lambda copy: (copy / "test_data_set_0" / "more").touch()
    yield "an unlisted folder", lambda copy: (copy / "more").mkdir()
    yield "an unlisted link", lambda copy: (copy / "more").symlink_to("model.onnx")
    for name in ("../outside", "/etc/passwd", "a//b", "./a", "a/..", "", "a\\b", "a\nb"):
        yield f"the manifest lists {name!r}", partial(listed, name)


def instead(make: Callable[[Path], None], copy: Path) -> None:
    """Make something else of contract.json."""
    (copy / "contract.json").unlink()
    make(copy / "contract.json")


def listed(name: str, copy: Path) -> None:
    """Add an entry to the manifest."""
    manifest = json.loads((copy / "manifest.json").read_bytes())
    manifest["files"][name] = {"sha256": sha256(b"").hexdigest(), "size": 0}
    (copy.parent / "outside").touch()
    (copy / "manifest.json").write_text(json.dumps(manifest))


def rewrite(name: str, change: Callable[[bytes], bytes], copy: Path) -> None:
    """Change a file and seal the package again; a contract also goes into the graphs."""
    data = change((copy / name).read_bytes())
    (copy / name).write_bytes(data)
    if name == "contract.json":
        for graph in copy.glob("*.onnx"):
            graph.write_bytes(graph.read_bytes() + metadata(b"parity.contract", data))
    if name != "manifest.json":
        manifest = json.loads((copy / "manifest.json").read_bytes())
        for listed_name in manifest["files"]:
            content = (copy / listed_name).read_bytes()
            manifest["files"][listed_name] = {"sha256": sha256(content).hexdigest(), "size": len(content)}
        (copy / "manifest.json").write_text(json.dumps(manifest))


def replaced(text: str, data: bytes) -> bytes:  # noqa: ARG001 -- as the other changes
    """Return another text."""
    return text.encode()


def metadata(key: bytes, value: bytes) -> bytes:
    """Return a ModelProto's field metadata_props; readers take the last one of a key."""
    entry = b"\x0a" + varint(len(key)) + key + b"\x12" + varint(len(value)) + value
    return b"\x72" + varint(len(entry)) + entry


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def flip(name: str, rng: random.Random, copy: Path) -> None:
    """Flip one bit, and leave the manifest as it is."""
    (copy / name).write_bytes(flipped(rng, (copy / name).read_bytes()))


def truncate(name: str, copy: Path) -> None:
    """Cut the end off, and leave the manifest as it is."""
    (copy / name).write_bytes((copy / name).read_bytes()[:-9])


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with one bit changed."""
    copy = bytearray(data)
    copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
    return bytes(copy)


def changed(rng: random.Random, data: bytes) -> bytes:
    """Return a JSON file with one value replaced or removed somewhere in its tree."""
    root = json.loads(data)
    places: list[tuple[Any, Any]] = []
    collect(root, places)
    shapes = [(owner, key) for owner, key in places if key == "shape"]
    owner, key = rng.choice(shapes if shapes and rng.random() < 0.2 else places)
    owner[key] = rng.choice(SHAPES if key == "shape" else VALUES)
    if rng.random() < 0.2:
        del owner[key]
    return json.dumps(root).encode()


def collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    """List every (owner, key) of a tree; of a long list only the first items."""
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 3)) if isinstance(value, list) else ()
    for key in keys:
        places.append((value, key))
        collect(value[key], places)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
