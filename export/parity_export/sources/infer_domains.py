"""What a module's integers and booleans may hold where nobody says it: seen in what the module does with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from parity_export.sources.argument_binding import Binding, bind
from parity_export.sources.domain_arrays import first_kept
from parity_export.sources.example_inputs import Example
from parity_export.sources.input_domain import InputDomain
from parity_export.sources.watched_inputs import Uses, watch
from parity_runtime import InputError, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.contract import row_dimension

_LONG = (128, 32, 8)  # sizes that are tried, until the module takes one
_MORE = 3  # added to a size, to see which lengths follow it


@dataclass(frozen=True)
class Inferred:
    """What one input holds, and how that was seen.

    Attributes:
        domain: in words of a specification.
        note: the line that says so.
    """

    domain: str
    note: str


def infer_domains(module: nn.Module | Binding, example: Example, batch: str | None) -> dict[str, Inferred]:
    """Return the domains of the integer and boolean inputs whose domain nobody said, as far as one call shows them.

    Args:
        module: in eval mode, or a binding of one.
        example: arguments that it accepts.
        batch: the dimension that counts rows, which bounds no values.
    """
    followed = [
        spec for spec in example.inputs
        if not spec.domain and spec.dtype != "string" and not spec.dtype.startswith("float")
    ]  # fmt: skip
    if not followed:
        return {}
    call, names = bind(module, example.inputs), [spec.name for spec in followed]
    calls = [_tensors(example, filling) for filling in (0, 1)]
    zeros, ones = (watch(call, call.module, tensors, names) for tensors in calls)
    sizes = example.choices.nearest({name: size + _MORE for name, size in example.sizes.items()})
    grown = watch(call, call.module, _tensors(example, example.filling, sizes), names) if sizes else {}
    found, parameters = {}, call.parameters
    for spec in followed:
        uses = (ones, zeros)[example.filling == 0][spec.name]
        inferred = _index(example, uses, (sizes or {}, grown[spec.name] if grown else None), spec, batch)
        inferred = inferred or _mask(spec, parameters[spec.name], (zeros[spec.name], ones[spec.name]), batch)
        if inferred is not None and _accepted(call, example, replace(spec, domain=inferred.domain)):
            found[spec.name] = inferred
    return found


def check_indices(module: nn.Module | Binding, example: Example) -> None:
    """Refuse a domain that reaches beyond what its input indexes, as the rows of an embedding.

    Raises:
        InputError: names the input, what it indexes, and the domain that fits.
    """
    call = bind(module, example.inputs)
    for spec in example.inputs:
        is_integer = spec.domain and spec.numpy_dtype.kind in "iu"
        if not is_integer or InputDomain.of(spec).dimensions or _accepted(call, example, spec):
            continue
        bounds = watch(call, call.module, _tensors(example, example.filling), [spec.name])[spec.name].bounds
        length, weight = min(bounds, default=(None, ""))
        _, high = InputDomain.of(spec).integer_ends({})
        if length is not None and high is not None and high >= length:
            what = f"the {length} rows of {weight}" if weight else f"an axis of {length}"
            domain = replace(InputDomain.of(spec), high=length, below=True)
            fitting = argument("inputs", [str(replace(spec, domain=str(domain)))], option="--input")
            raise InputError(f"{spec}: the module looks it up in {what}; write {fitting}")


def blind_masks(module: nn.Module | Binding, example: Example) -> list[str]:
    """Return the masks that leave some position of an attention nothing to look at: what is computed there is nobody's.

    A window that slides over a text sees nothing of it far behind its end. One call is watched, of long rows of which
    everything but the first position is left out.
    """
    domains = {spec.name: InputDomain.of(spec) for spec in example.inputs if spec.domain}
    masks = [name for name, domain in domains.items() if domain.is_mask]
    if not masks:
        return []
    call, found = bind(module, example.inputs), {}
    for length in _LONG:
        sizes = example.choices.apart(dict.fromkeys(example.sizes, length) | _rows(example))
        tensors = {} if sizes is None else _tensors(example, example.filling, sizes)
        for name in masks if tensors else ():
            spec = next(spec for spec in example.inputs if spec.name == name)
            mask = first_kept(domains[name], tensors[name].shape, spec.numpy_dtype)
            tensors[name] = torch.from_numpy(mask)
        found = watch(call, call.module, tensors, masks) if tensors else {}
        if any(uses.open for uses in found.values()):
            break
    return [name for name, uses in found.items() if uses.blind]


def _rows(example: Example) -> dict[str, int]:
    batch = row_dimension(example.inputs, {rule.name: rule.text for rule in example.rules})
    return {} if batch is None else {batch: 2}


def _tensors(example: Example, filling: int, sizes: Mapping[str, int] | None = None) -> dict[str, torch.Tensor]:
    tensors = example.tensors(sizes, filling)
    return {spec.name: tensor for spec, tensor in zip(example.inputs, tensors, strict=True)}


def _index(
    example: Example, uses: Uses, grown: tuple[Mapping[str, int], Uses | None], spec: TensorSpec, batch: str | None
) -> Inferred | None:
    """Return the domain of what indexes: the shortest axis that its own values are taken from."""
    if not uses.bounds:
        return None
    length, weight = min(uses.bounds)
    sizes, others = grown
    if weight or others is None or len(others.bounds) != len(uses.bounds):
        return Inferred(f"in 0..{length - 1}", _index_note(spec, length, f"rows of {weight}" if weight else "an index"))
    other = others.bounds[uses.bounds.index((length, weight))][0]
    named = [name for name, size in example.sizes.items() if size == length and sizes[name] == other]
    if other == length:
        return Inferred(f"in 0..{length - 1}", _index_note(spec, length, "an index"))
    if not named or (named[0] == batch == "batch"):
        return None
    note = f"{spec.name}: from 0 to below {named[0]} (an index); {_otherwise(spec, '>= 0')}"
    return Inferred(f"< {named[0]}", note)


def _index_note(spec: TensorSpec, length: int, why: str) -> str:
    return f"{spec.name}: 0 to {length - 1} ({why})"


def _mask(spec: TensorSpec, parameter: str, watched: tuple[Uses, Uses], batch: str | None) -> Inferred | None:
    """Return the domain of a mask; None where the input is none, or may hold whatever its dtype holds.

    Args:
        spec: of the input.
        parameter: of the module, which the input is.
        watched: what was seen of it, of zeros and of ones.
        batch: the dimension that counts rows.
    """
    zeros, ones = watched
    is_called_mask = "mask" in parameter or "mask" in spec.name
    attended = zeros.attended or ones.attended
    # Positions may be counted of a mask as well, as BLOOM does.
    others = set() if attended and is_called_mask else zeros.others | ones.others
    compared = zeros.compared or ones.compared or attended
    named = (zeros.multiplied or ones.multiplied) and is_called_mask
    if others or zeros.bounds or ones.bounds or not (compared or named):
        return None
    shape = ""
    if attended and spec.shape[-1:] not in ((), (batch,)):
        shape = _side(zeros, ones)
    if not shape and spec.dtype == "bool":
        return None
    rows = {"prefix": ", a prefix of ones in each row", "padding": ", a prefix of zeros in each row"}.get(shape, "")
    domain = str(InputDomain.of(replace(spec, domain=f"in 0..1, {shape}" if shape else "in 0..1")))
    other = "in 0..1" if shape else ">= 0"
    does = "it is compared or multiplied" if compared else "it is multiplied"
    return Inferred(domain, f"{spec.name}: 0 or 1{rows} ({does} and nothing else); {_otherwise(spec, other)}")


def _side(zeros: Uses, ones: Uses) -> str:
    """Return ``prefix`` where ones are looked at, ``padding`` where zeros are, nothing where neither shuts all out."""
    open_zeros, open_ones = all(zeros.open), all(ones.open)
    return "" if open_zeros == open_ones else "prefix" if open_ones else "padding"


def _otherwise(spec: TensorSpec, domain: str) -> str:
    """Return how to say that an input holds something else, such as what a domain says."""
    return "declare it otherwise with " + argument("inputs", [f"{spec} {domain}"], option="--input")


def _accepted(call: Binding, example: Example, spec: TensorSpec) -> bool:
    """Whether the module takes the highest value of a domain."""
    specs = tuple(spec if one.name == spec.name else one for one in example.inputs)
    tensors = dict(zip([one.name for one in specs], replace(example, inputs=specs).tensors(), strict=True))
    _, high = InputDomain.of(spec).integer_ends(example.sizes)
    if high is not None and not InputDomain.of(spec).is_shaped:
        tensors[spec.name] = torch.full_like(tensors[spec.name], high)
    try:
        with torch.no_grad():
            call(*tensors.values())
    except Exception:  # the user's own code
        return False
    return True


def with_domains(specs: Sequence[TensorSpec], found: Mapping[str, Inferred]) -> list[TensorSpec]:
    """Return specifications with the domains that were inferred."""
    return [replace(spec, domain=found[spec.name].domain) if spec.name in found else spec for spec in specs]
