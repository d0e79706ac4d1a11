"""Tables that tests learn from."""

from pathlib import Path

import numpy as np


def write_table(path: Path, columns: dict[str, object]) -> Path:
    """Write columns as CSV; None is an empty cell."""
    rows = zip(*columns.values(), strict=True)  # type: ignore[arg-type]
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")
    return path


def classes_table(path: Path, rows: int = 200, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    """Two columns of very different size, the class of each row decided by them; every ninth cell of one missing."""
    random = np.random.default_rng(0)
    kind = random.integers(0, len(classes), rows)
    large = 1000 + 300 * kind + random.normal(0, 40, rows)
    small = [None if row % 9 == 0 else round(value, 6) for row, value in enumerate(kind + random.normal(0, 0.1, rows))]
    return write_table(path, {"large": large.round(3), "small": small, "kind": [classes[index] for index in kind]})


def prices_table(path: Path, rows: int = 300) -> Path:
    """A price that is linear in two columns, in the thousands."""
    random = np.random.default_rng(0)
    area, age = random.uniform(20, 200, rows), random.uniform(0, 80, rows)
    price = 50_000 + 3_000 * area - 400 * age + random.normal(0, 2_000, rows)
    return write_table(path, {"area": area.round(2), "age": age.round(1), "price": price.round(2)})
