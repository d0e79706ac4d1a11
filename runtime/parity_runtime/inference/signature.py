"""Whether a session takes and gives what a contract says."""

from collections.abc import Sequence
from typing import Any

from parity_runtime.contract import ModelContract
from parity_runtime.tensor_spec import TensorSpec

ONNXRUNTIME_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(string)": "string",
    **{f"tensor({name})": name for name in ("bool", "int64", "int32", "int16", "int8", "uint8")},
}
"""numpy's names of the element types, by onnxruntime's."""


def signature_mismatches(session: Any, contract: ModelContract, *, external: bool) -> list[str]:
    """Return how a session's inputs and outputs differ from the contract: names first, then dtypes and shapes.

    Args:
        session: of the graph.
        contract: what it must take and give.
        external: the graph is another exporter's: its inputs may stand in another order, it may call its dynamic
            dimensions as it likes and have more, and what it declares of its outputs' shapes is not looked at.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if external:
        inputs = _in_order(inputs, contract.inputs)
    mismatches = []
    for side, specs, found in (("inputs", contract.inputs, inputs), ("outputs", contract.outputs, outputs)):
        names = [tensor.name for tensor in found]
        if names != [spec.name for spec in specs]:
            mismatches.append(
                f"the graph's {side} are {', '.join(names)}; expected {', '.join(spec.name for spec in specs)}"
            )
            continue
        for spec, tensor in zip(specs, found, strict=True):
            if not external:
                fits = _same(spec.shape, tuple(tensor.shape), unknown=side == "outputs")
            else:
                fits = side == "outputs" or _general_enough(spec.shape, tuple(tensor.shape))
            if not fits or _dtype(tensor) != spec.dtype:
                mismatches.append(_mismatch(tensor, spec))
    return mismatches


def shape_mismatches(session: Any, outputs: Sequence[TensorSpec]) -> list[str]:
    """Return which outputs another exporter's graph declares with a size where another or any is expected."""
    return [
        _mismatch(tensor, spec)
        for spec, tensor in zip(outputs, session.get_outputs(), strict=True)
        if not _general_enough(spec.shape, tuple(tensor.shape))
    ]


def _in_order(tensors: Sequence[Any], specs: Sequence[TensorSpec]) -> list[Any]:
    """Return a session's tensors in the order of specifications, those without one last."""
    names = [spec.name for spec in specs]
    return sorted(tensors, key=lambda tensor: names.index(tensor.name) if tensor.name in names else len(names))


def _dtype(tensor: Any) -> str:
    return ONNXRUNTIME_DTYPES.get(tensor.type, str(tensor.type))


def _mismatch(tensor: Any, spec: TensorSpec) -> str:
    return f"the graph has {tensor.name}: {_dtype(tensor)}[{', '.join(map(str, tensor.shape))}]; expected {spec}"


def _same(wanted: tuple[int | str, ...], found: tuple[int | str | None, ...], *, unknown: bool) -> bool:
    """Whether two shapes are the same; where onnxruntime infers no size of an output, it may be ``unknown``."""
    return len(wanted) == len(found) and all(
        size == theirs or (unknown and theirs is None) for size, theirs in zip(wanted, found, strict=True)
    )


def _general_enough(wanted: tuple[int | str, ...], found: tuple[int | str | None, ...]) -> bool:
    """Whether a shape is dynamic wherever it must be, and elsewhere dynamic or of the wanted size."""
    return len(wanted) == len(found) and all(
        size == theirs or not isinstance(theirs, int) or (isinstance(size, str) and size.startswith("dim"))
        for size, theirs in zip(wanted, found, strict=True)
    )
