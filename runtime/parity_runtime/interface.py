"""Whether a session takes and gives what a contract says."""

from typing import Any

from parity_runtime.contract import ModelContract

ONNXRUNTIME_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    **{f"tensor({name})": name for name in ("bool", "int64", "int32", "int16", "int8", "uint8")},
}
"""numpy's names of the element types, by onnxruntime's."""


def interface_mismatches(session: Any, contract: ModelContract, *, foreign: bool) -> list[str]:
    """Return how a session's inputs and outputs differ from the contract: names first, then dtypes and shapes.

    Args:
        session: of the graph.
        contract: what it must take and give.
        foreign: the graph is another exporter's: it may call its dynamic dimensions as it likes, and may have more.
    """
    mismatches = []
    for side, specs, found in (
        ("inputs", contract.inputs, session.get_inputs()),
        ("outputs", contract.outputs, session.get_outputs()),
    ):
        names = [tensor.name for tensor in found]
        if names != [spec.name for spec in specs]:
            mismatches.append(
                f"the graph's {side} are {', '.join(names)}; expected {', '.join(spec.name for spec in specs)}"
            )
            continue
        for spec, tensor in zip(specs, found, strict=True):
            dtype, shape = ONNXRUNTIME_DTYPES.get(tensor.type, tensor.type), tuple(tensor.shape)
            fits = _general_enough(spec.shape, shape) if foreign else spec.shape == shape
            if dtype != spec.dtype or not fits:
                mismatches.append(
                    f"the graph has {tensor.name}: {dtype}[{', '.join(map(str, shape))}]; expected {spec}"
                )
    return mismatches


def _general_enough(wanted: tuple[int | str, ...], found: tuple[int | str | None, ...]) -> bool:
    """Whether a shape is dynamic wherever it must be, and elsewhere dynamic or of the wanted size."""
    return len(wanted) == len(found) and all(
        size == theirs or not isinstance(theirs, int) or (isinstance(size, str) and size.startswith("dim"))
        for size, theirs in zip(wanted, found, strict=True)
    )
