"""From specifications as they were given to ones that say what each input holds, and arguments of a module."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from parity_export.sources.argument_binding import Binding
from parity_export.sources.dimension_choices import checked_rules
from parity_export.sources.domain_arrays import check_rows, sizes_of_rows, violation
from parity_export.sources.example_inputs import Example
from parity_export.sources.infer_domains import Inferred, check_indices, infer_domains, with_domains
from parity_export.sources.input_domain import InputDomain, check_domains
from parity_runtime import InputError, TensorSpec
from parity_runtime.arguments import argument
from parity_runtime.contract import row_dimension
from parity_runtime.dimension_rule import check_sizes
from parity_runtime.inference.input_validation import Arrays

_ANY_MASK = InputDomain(0, 1)
_LEFT_PADDED = InputDomain(0, 1, suffix=True)


def settled_example(
    module: nn.Module | Binding, specs: Sequence[TensorSpec], dimensions: Sequence[str], sample: Arrays | None
) -> tuple[Example, tuple[str, ...]]:
    """Return arguments that a module accepts, and a line for each domain that was inferred.

    Args:
        module: in eval mode, or a binding of one.
        specs: as they were given.
        dimensions: what was said of the dynamic dimensions.
        sample: real rows, rows first.

    Raises:
        InputError: a domain or a dimension contradicts itself, the inputs or the sample, or the module accepts none of
            the sizes that are tried.
    """
    batch = row_dimension(specs, {text.split()[0]: text for text in dimensions if text.strip()})
    checked = check_domains(specs, batch)
    rules = checked_rules(dimensions, checked, batch)
    if sample is not None:
        if not len(next(iter(sample.values()))):
            raise InputError(f"{argument('sample', option='--samples')} holds no rows; leave it out, or give some")
        sizes = sizes_of_rows(checked, sample, batch)
        check_sizes(rules, sizes, "the samples have")
        check_rows(checked, sample, sizes, "the samples")
    example = Example.of(module, checked, rules)
    check_indices(module, example)
    inferred = _fitting(infer_domains(module, example, batch), checked, sample, batch)
    if inferred:
        with contextlib.suppress(InputError):
            example = Example.of(module, with_domains(checked, inferred), rules)
            return example, tuple(found.note for found in inferred.values())
    return example, ()


def _fitting(
    inferred: dict[str, Inferred], specs: Sequence[TensorSpec], sample: Arrays | None, batch: str | None
) -> dict[str, Inferred]:
    """Return the domains that no sample contradicts: what real rows hold is held, and what counts them counts rows."""
    if sample is None:
        return inferred
    sizes = sizes_of_rows(specs, sample, batch)
    domains = {spec.name: InputDomain.of(replace(spec, domain=inferred[spec.name].domain))
               for spec in specs if spec.name in inferred}  # fmt: skip
    found = {}
    for name, domain in domains.items():
        if batch not in domain.dimensions and violation(domain, sample[name], sizes) is None:
            found[name] = inferred[name]
        elif domain.prefix and violation(_LEFT_PADDED, sample[name], sizes) is None:
            note = f"{name}: 0 or 1, a suffix of ones in each row, as in the samples"
            found[name] = Inferred(str(_LEFT_PADDED), note)
        elif domain.is_mask and violation(_ANY_MASK, sample[name], sizes) is None:
            found[name] = Inferred(str(_ANY_MASK), f"{name}: 0 or 1, in any order, as in the samples")
    return found
