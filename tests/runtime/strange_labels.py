"""A package whose graph answers labels that are no class of its contract, for rows that its vectors do not hold."""

import struct
from pathlib import Path

from parity_runtime import Package
from parity_runtime.package.manifest import write_manifest
from tests.runtime.protobuf import field

GRAPH, NODE, INITIALIZER = 7, 1, 5
INPUT, OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
FLOAT, INT64 = 1, 7
STEP = 1e6
"""What the first feature must grow by for the label to grow by one."""


def shift_labels(package: Path) -> Path:
    """Add ``trunc(x / STEP)`` to the label in every graph of a package, x being the first feature; sign it anew."""
    width = len(Package.open(package).contract.features)
    for model in package.glob("*.onnx"):
        data = model.read_bytes()
        output = field(OUTPUT, b"label")
        assert data.count(output) == 1
        model.write_bytes(data.replace(output, field(OUTPUT, b"index")) + field(GRAPH, _shift(width)))
    write_manifest(package)
    return package


def _shift(width: int) -> bytes:
    weight = struct.pack(f"<{width}f", 1 / STEP, *[0.0] * (width - 1))
    return b"".join([
        _initializer("shift.weight", FLOAT, (width, 1), weight),
        _initializer("shift.axis", INT64, (1,), struct.pack("<q", 1)),
        _node("MatMul", ["features", "shift.weight"], "shift.column"),
        _node("Squeeze", ["shift.column", "shift.axis"], "shift.row"),
        _node("Cast", ["shift.row"], "shift.whole", field(1, b"to") + field(3, INT64) + field(20, 2)),
        _node("Add", ["index", "shift.whole"], "label"),
    ])  # fmt: skip


def _initializer(name: str, dtype: int, shape: tuple[int, ...], data: bytes) -> bytes:
    sizes = b"".join(field(1, size) for size in shape)
    return field(INITIALIZER, sizes + field(2, dtype) + field(8, name.encode()) + field(9, data))


def _node(operator: str, inputs: list[str], output: str, attribute: bytes = b"") -> bytes:
    names = b"".join(field(INPUT, name.encode()) for name in inputs) + field(OUTPUT, output.encode())
    return field(NODE, names + field(OPERATOR, operator.encode()) + (field(ATTRIBUTE, attribute) if attribute else b""))
