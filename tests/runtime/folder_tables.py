"""Tables of points in a folder, and what a folder of answers holds."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

NAMES = ("part-0", "part-1", "year=2024/part-0")


def points(seed: int, rows: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 1.5, (rows, 2)).astype(np.float32)


def csv_text(seed: int, rows: int = 50) -> str:
    return "id,x1,x2\n" + "".join(f"{seed}-{row},{a},{b}\n" for row, (a, b) in enumerate(points(seed, rows)))


def write_table(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(csv_text(seed).encode()))
    elif path.suffix == ".csv":
        path.write_text(csv_text(seed))
    elif path.suffix in (".jsonl", ".json"):
        path.write_text("".join(json.dumps({"x1": float(a), "x2": float(b)}) + "\n" for a, b in points(seed)))
    elif path.suffix == ".npy":
        np.save(path, points(seed))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import feather, parquet

        write = parquet.write_table if path.suffix == ".parquet" else feather.write_feather
        write(pyarrow.table(dict(zip(("x1", "x2"), points(seed).T, strict=True))), path)


def answers(folder: Path) -> dict[str, bytes]:
    """What readers of a folder see."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not any(part.startswith(("_", ".")) for part in name.split("/"))
    }


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_refused(answer, out: Path, *words: str) -> bool:
    """One line that holds the words and the two ways out."""
    return answer.is_refused(1, *words, "--out", f"rm -r {out}")
