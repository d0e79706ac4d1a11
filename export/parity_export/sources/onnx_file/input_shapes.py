"""What a graph takes, as the specifications of a contract say it: names, dtypes, shapes with named dimensions."""

import keyword
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from onnx import ModelProto, TensorShapeProto, ValueInfoProto, helper

from parity_runtime import FormatError, InputError, TensorSpec
from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.contract import row_dimension
from parity_runtime.dimension_rule import DimensionRule
from parity_runtime.printable import shown

Size = int | str | None
"""A fixed size, the file's name of a dynamic one, or None where it has none."""

_NO_NAME = re.compile(r"\W*|unk__\d+", re.ASCII)
"""What exporters write where they know no name: nothing, ``?``, and tf2onnx a number for each."""

_EXPRESSION = re.compile(r"[+*]|(?<=\w)\s*-\s*(?=\w)")


@dataclass(frozen=True)
class GraphInputs:
    """What a graph takes.

    Attributes:
        specs: of its inputs, in its order.
        rules: what follows from the file's names of dimensions: ``total = past + 1``.
        notes: names that are another than the file's, a line each.
    """

    specs: tuple[TensorSpec, ...]
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def graph_inputs(model: ModelProto, given: Sequence[str], where: str) -> list[GraphInputs]:
    """Return what a graph may take, the most general first: the file leaves open which unnamed sizes are the same.

    Args:
        model: the graph.
        given: what a person says of some inputs, as ``"x: float32[batch, 3, 48, width] in 0..1"``.
        where: names the file in a message.

    Raises:
        InputError: an input is no tensor of a dtype that a package takes, the file does not say its shape and nobody
            else does, or what a person says contradicts the file.
    """
    values = model.graph.input
    if not values:
        raise InputError(f"{where} takes no inputs: its output is always the same, and a package needs inputs")
    said = _given(given, [value.name for value in values])
    sizes = {value.name: _sizes(value, said.get(value.name), where) for value in values}
    names, rules, notes = _named(sizes)
    found: list[GraphInputs] = []
    for unnamed in (_apart, _by_axis, _rows):
        specs = tuple(_spec(value, sizes[value.name], names, unnamed, said.get(value.name)) for value in values)
        if specs not in [one.specs for one in found]:
            found.append(GraphInputs(specs, rules, notes))
    return found


def unspoken(inputs: GraphInputs, said: Sequence[str]) -> list[str]:
    """Return the sizes but the batch of which neither the file nor a person says anything."""
    sizes = dict.fromkeys(size for spec in inputs.specs for size in spec.shape if isinstance(size, str))
    batch = row_dimension(inputs.specs, {})
    spoken_of = {text.split()[0] for text in (*inputs.rules, *said) if text.strip()}
    return [name for name in sizes if name != batch and name not in spoken_of]


def longer(inputs: GraphInputs, least: Mapping[str, int]) -> GraphInputs:
    """Return the same inputs with sizes from some number on."""
    notes = [f"{name} is at least {size}: the graph takes none that was tried below" for name, size in least.items()]
    rules = [f"{name} >= {size}" for name, size in least.items()]
    return replace(inputs, rules=(*inputs.rules, *rules), notes=(*inputs.notes, *notes))


def multiples(inputs: GraphInputs, names: Sequence[str], multiple: int) -> GraphInputs:
    """Return the same inputs with sizes that are multiples of some number."""
    notes = [f"{name} is a multiple of {multiple}: the graph refuses sizes between" for name in names]
    rules = [f"{name} multiple of {multiple}" for name in names]
    return replace(inputs, rules=(*inputs.rules, *rules), notes=(*inputs.notes, *notes))


def _given(texts: Sequence[str], names: Sequence[str]) -> dict[str, TensorSpec]:
    """Read what a person says; the file's names need not be identifiers."""
    found = {}
    for text in texts:
        fitting = [name for name in names if re.match(rf"\s*{re.escape(name)}\s*:\s*\w+\s*\[", text)]
        if not fitting:
            name = text.partition(":")[0].strip()
            raise InputError(f"{shown(text)}: the graph has no input {shown(name)}, but {', '.join(names)}"
                             f"{did_you_mean(name, names)}")  # fmt: skip
        name = max(fitting, key=len)
        rest = text.strip()[len(name) :]
        found[name] = replace(TensorSpec.parse(f"x{rest}"), name=name)
    return found


def _sizes(value: ValueInfoProto, said: TensorSpec | None, where: str) -> list[Size]:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        what = (kind or "value of no type").removesuffix("_type").replace("_", " ")
        article = "an" if what[0] in "aeiou" else "a"
        raise InputError(f"{where} takes {shown(value.name)}, {article} {what}; a package takes tensors")
    dtype = _dtype(value, where)
    if dtype == "string":
        raise InputError(f"{where} takes text ({value.name}); only numbers are compared")
    declared = value.type.tensor_type
    if not declared.HasField("shape"):
        if said is None:
            example = argument("inputs", [f"{value.name}: {dtype}[batch, 3, 224, 224]"], option="--input")
            raise InputError(f"{where} does not say the shape of its input {value.name}; say it, as {example}")
        return list(said.shape)
    sizes = [_size(dim) for dim in declared.shape.dim]
    if said is None:
        return sizes
    _check_said(said, dtype, sizes, where)
    return list(said.shape)


def _dtype(value: ValueInfoProto, where: str) -> str:
    try:
        numpy_dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        dtype = "string" if numpy_dtype.kind == "O" else numpy_dtype.name
        TensorSpec(value.name, dtype, ())
    except (KeyError, FormatError) as error:
        raise InputError(f"{where}: {error}; a package takes no other") from error
    return dtype


def _size(dim: TensorShapeProto.Dimension) -> Size:
    if dim.HasField("dim_value") and dim.dim_value > 0:
        return int(dim.dim_value)
    return None if _NO_NAME.fullmatch(dim.dim_param) else dim.dim_param


def _check_said(said: TensorSpec, dtype: str, sizes: Sequence[Size], where: str) -> None:
    fits = len(sizes) == len(said.shape) and all(
        not isinstance(size, int) or size == mine for size, mine in zip(sizes, said.shape, strict=False)
    )
    if said.dtype != dtype or not fits:
        listed = ", ".join("?" if size is None else str(size) for size in sizes)
        raise InputError(f"{where} takes {said.name}: {dtype}[{listed}]; that is not {shown(str(said))}")


def _named(sizes: Mapping[str, Sequence[Size]]) -> tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """Return what each name of the file is called, the rules that it says, and a line for each that is another."""
    found = {size: _places(sizes, size) for shape in sizes.values() for size in shape if isinstance(size, str)}
    names = {name: name for name in found if _is_name(name)}
    rules, notes = [], []
    for name, places in found.items():
        if name in names:
            continue
        counts_rows = places == {0} and "batch" not in names.values()
        names[name] = "batch" if counts_rows and not _EXPRESSION.search(name) else _identifier(name, names.values())
        rule = _rule(name, names)
        rules += [] if rule is None else [rule]
        notes.append(f"the file's dimension {shown(name)} is called {names[name]}")
    return names, tuple(rules), tuple(notes)


def _places(sizes: Mapping[str, Sequence[Size]], name: str) -> set[int]:
    return {axis for shape in sizes.values() for axis, size in enumerate(shape) if size == name}


def _is_name(text: str) -> bool:
    return text.isidentifier() and text.isascii() and not keyword.iskeyword(text)


def _identifier(text: str, taken: Collection[str]) -> str:
    """Return an identifier that resembles a text and is no other's."""
    plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "dim"
    plain = plain if _is_name(plain) else f"dim_{plain}"
    name, count = plain, 2
    while name in taken:
        name, count = f"{plain}_{count}", count + 1
    return name


def _rule(text: str, names: Mapping[str, str]) -> str | None:
    """Return what a name such as ``past + 1`` says, where it is a sum of other dimensions."""
    rest = text.replace(" ", "")
    try:
        rule = DimensionRule.parse(f"{names[text]} = {rest}")
    except InputError:
        return None
    others = [other for other, _ in rule.terms]
    return str(rule) if rest != names[text] and all(names.get(other) == other for other in others) else None


def _apart(name: str, axis: int) -> str:
    return "batch" if axis == 0 else f"{_identifier(name, ())}_{axis}"


def _by_axis(name: str, axis: int) -> str:  # noqa: ARG001 -- one signature for all
    return "batch" if axis == 0 else f"dim{axis}"


def _rows(name: str, axis: int) -> str:  # noqa: ARG001
    return "batch"


def _spec(
    value: ValueInfoProto,
    sizes: Sequence[Size],
    names: Mapping[str, str],
    unnamed: Callable[[str, int], str],
    said: TensorSpec | None,
) -> TensorSpec:
    """Return an input's specification."""
    shape = tuple(_called(value.name, axis, sizes, names, unnamed) for axis in range(len(sizes)))
    return TensorSpec(value.name, _dtype(value, value.name), shape, "" if said is None else said.domain)


def _called(
    name: str, axis: int, sizes: Sequence[Size], names: Mapping[str, str], unnamed: Callable[[str, int], str]
) -> int | str:
    """Return a size; of those without a name only an input's first one may count rows."""
    size = sizes[axis]
    if size is not None:
        return names[size] if isinstance(size, str) else size
    is_first = sizes.index(None) == axis
    return unnamed(name, axis) if is_first or unnamed is not _rows else _apart(name, axis)
