"""How a module is asked, and what of its answers is compared, where its specifications do not say it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.sources.batch_axis import row_axis
from parity_export.sources.domain_arrays import check_rows
from parity_export.sources.input_domain import InputDomain
from parity_runtime import InputError, ModelContract, TensorSpec
from parity_runtime.arguments import argument, did_you_mean
from parity_runtime.contract import batch_name
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import counted, shown

Draw = Callable[[np.random.Generator, int, dict[str, int]], Mapping[str, NDArray[Any]]]
"""From a generator, a number of rows and the sizes of the dynamic dimensions to arrays by input name, rows first."""

_WHERE = re.compile(r"\s*(\S+)\s+where\s+(\S+)\s*")


@dataclass(frozen=True)
class ProbeOptions:
    """On which inputs (probes) a module is compared, and which outputs. The defaults suit most modules.

    >>> from parity_export import ProbeOptions
    >>> ProbeOptions(dimensions=["time in 1..512"], compare=["hidden where mask"]).compare
    ['hidden where mask']

    Attributes:
        dimensions: the sizes that dynamic dimensions may have: ``"time in 1..512"``, ``"width multiple of 32"``,
            ``"total = past + time"``.
        compare: ``"output where input"`` compares an output only at the positions at which an input, such as a mask, is
            not zero. The axes of the input must be the first axes of the output.
        samples_only: compare on the sample only.
        draw: a function that draws the inputs instead of Parity. It is called with a ``numpy.random.Generator``, a
            number of rows, and the sizes of the dynamic dimensions except the batch. It returns an array for each
            input, by its name, with the rows as the first axis.

    Raises:
        InputError: a text was given instead of a list, or both ``draw`` and ``samples_only``.
    """

    dimensions: Sequence[str] = ()
    compare: Sequence[str] = ()
    samples_only: bool = False
    draw: Draw | None = None

    def __post_init__(self) -> None:
        for name in ("dimensions", "compare"):
            given = getattr(self, name)
            if isinstance(given, str):
                raise InputError(f"{name} is {shown(given)} alone; give a list: {name}=[{given!r}]")
        if self.samples_only and self.draw is not None:
            raise InputError(
                f"{argument('samples_only', True)} compares on the sample only, and {argument('draw')} draws other "
                "rows; leave one of them out"
            )


def compared_where(texts: Sequence[str], inputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Return by output the input where it is compared.

    Raises:
        InputError: a text is of another form, or names an input that there is not.
    """
    found: dict[str, str] = {}
    names = [spec.name for spec in inputs]
    for text in texts:
        match = _WHERE.fullmatch(text)
        if match is None:
            example = argument("compare", ["last_hidden_state where attention_mask"])
            raise InputError(f"{shown(text)} does not say what is compared where; write {example}")
        output, name = match.groups()
        if name not in names:
            raise InputError(f"{shown(text)}: there is no input {name}{did_you_mean(name, names)}")
        if output in found:
            raise InputError(
                f"{shown(text)}: where {output} is compared was said before: where {found[output]} is not 0"
            )
        found[output] = name
    return found


def check_compared(
    where: Mapping[str, str], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], batch: str | None
) -> None:
    """Refuse an output that there is not, or whose first axes are not the input's.

    Raises:
        InputError: names both.
    """
    specs = {spec.name: spec for spec in outputs}
    for output, name in where.items():
        if output not in specs:
            near = did_you_mean(output, specs)
            raise InputError(
                f"{output} where {name}: there is no output {output}{near or '; there are ' + ', '.join(specs)}"
            )
        asked = next(spec for spec in inputs if spec.name == name)
        wanted, given = _of_row(asked, batch), _of_row(specs[output], batch)
        if len(wanted) > len(given) or any(_differ(*pair) for pair in zip(wanted, given, strict=False)):
            raise InputError(
                f"{output} where {name}: the axes of {asked} are not the first ones of {specs[output]}, so no value "
                "of the output belongs to one of the input"
            )


def with_blind_masks(where: Mapping[str, str], masks: Sequence[str], contract: ModelContract) -> dict[str, str]:
    """Return where outputs are compared, with those added that have a value for each position of a blind mask.

    Args:
        where: by output, the input where it is compared, as it was said.
        masks: names of inputs, as `ModelSource.blind_masks`.
        contract: of the model, its outputs known.
    """
    found, batch = dict(where), batch_name(contract)
    for spec in contract.inputs:
        wanted = _of_row(spec, batch)
        for output in contract.outputs if spec.name in masks and InputDomain.of(spec).keeps_ones else ():
            if _of_row(output, batch)[: len(wanted)] == wanted:
                found.setdefault(output.name, spec.name)
    return found


def drawn_rows(
    draw: Draw, contract: ModelContract, sizes: Mapping[str, int], random: np.random.Generator, rows: int
) -> Arrays:
    """Return what a callable draws for a model.

    Raises:
        InputError: it fails, or draws other names, dtypes, shapes, numbers that are not finite, or values outside of a
            domain.
    """
    name = f"{argument('draw')} ({getattr(draw, '__name__', type(draw).__name__)})"
    try:
        drawn = draw(random, rows, dict(sizes))
    except Exception as error:  # the user's own code
        raise InputError(
            f"{name} failed at {counted(rows, 'row')} and the sizes {dict(sizes)}: {first_line(error)}"
        ) from error
    names = [spec.name for spec in contract.inputs]
    if not isinstance(drawn, Mapping) or set(drawn) != set(names):
        found = ", ".join(map(str, drawn)) if isinstance(drawn, Mapping) else f"a {type(drawn).__name__}"
        raise InputError(f"{name} gives {found}; it must return a dict with an array for {', '.join(names)}")
    arrays = {spec.name: _checked(name, spec, drawn[spec.name], (rows, *_row_shape(contract, spec, sizes)))
              for spec in contract.inputs}  # fmt: skip
    check_rows(contract.inputs, arrays, sizes, f"the rows of {name}")
    if rows > 1 and all((array == array[:1]).all() for array in arrays.values()):
        raise InputError(f"{name} gives the same row {rows} times; draw each from the generator that it is given")
    return arrays


def _checked(name: str, spec: TensorSpec, array: object, shape: tuple[int, ...]) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.dtype != spec.numpy_dtype or array.shape != shape:
        found = f"{array.dtype}{list(array.shape)}" if isinstance(array, np.ndarray) else f"a {type(array).__name__}"
        raise InputError(f"{name} gives {found} as {spec.name}; it must give {spec.dtype}{list(shape)}, rows first")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{name} gives a number that is not finite as {spec.name}; draw finite numbers")
    return array


def _row_shape(contract: ModelContract, spec: TensorSpec, sizes: Mapping[str, int]) -> list[int]:
    return [sizes[size] if isinstance(size, str) else size for size in _of_row(spec, batch_name(contract))]


def _of_row(spec: TensorSpec, batch: str | None) -> list[int | str]:
    axis = row_axis(spec, batch)
    return [size for index, size in enumerate(spec.shape) if index != axis]


def _differ(wanted: int | str, given: int | str) -> bool:
    """Whether two sizes are certainly different: one that is computed may be any."""
    computed = isinstance(given, str) and (given.startswith("dim") or not given.isidentifier())
    return wanted != given and not computed
