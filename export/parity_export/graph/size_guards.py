"""Sizes by which a module's code decides: torch.export follows one branch, and knows up to which size it holds.

A graph holds one branch alone. Where the code compares a size (``if x.shape[1] > 200``), or a table has so many rows,
torch.export keeps the range of sizes in which the branch that the example took is taken (its ``range_constraints``).
Beyond it the module answers otherwise, or not at all: the package says so of the dimension.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from parity_export.graph.size_decisions import SizeDecision, size_decisions
from parity_export.sources.dimension_choices import DimensionChoices
from parity_export.sources.domain_arrays import sizes_of_rows
from parity_export.sources.example_inputs import Example
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.contract import batch_name
from parity_runtime.dimension_rule import DimensionRule

Axes = Mapping[int, torch.export.Dim]

_ANY = 2  # torch.export takes any size to be 2 or more: the gate asks at 1 itself
_UNLIMITED = 2**31  # what torch's own kernels count with
_SEVERAL = 6  # positions


@dataclass(frozen=True)
class SizeGuards:
    """What a program supposes of the sizes of its inputs.

    Attributes:
        limits: by dimension, the smallest and the largest size that the program's branch is for; the largest None where
            there is no limit.
        decisions: what is supposed of the sizes otherwise (``==``, a remainder, an area).
    """

    limits: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    decisions: tuple[SizeDecision, ...] = ()


def size_guards(program: torch.onnx.ONNXProgram, axes: Sequence[Axes]) -> SizeGuards:
    """Return what a program supposes of its dynamic dimensions.

    Args:
        program: as torch.onnx.export returns it.
        axes: the dynamic axes of each input, in the program's order.
    """
    exported = program.exported_program
    if exported is None:
        return SizeGuards()
    found = list(_dynamic_sizes(exported, axes))
    sizes = dict(found)
    ranges = {str(symbol): limits for symbol, limits in exported.range_constraints.items()}
    limits = {name: _limits(ranges[str(size)], _cut_at(size)) for name, size in sizes.items() if str(size) in ranges}
    decided = {name: limit for name, limit in limits.items() if limit != (1, None)}
    return SizeGuards(decided, tuple(size_decisions(found)))


def _dynamic_sizes(exported: torch.export.ExportedProgram, axes: Sequence[Axes]) -> Iterator[tuple[str, torch.SymInt]]:
    names = exported.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in exported.graph.nodes if node.op == "placeholder"}
    tensors = [values[name] for name in names if isinstance(name, str) and isinstance(values.get(name), torch.Tensor)]
    for tensor, dynamic in zip(tensors, axes, strict=False):
        for axis, dimension in dynamic.items():
            if isinstance(tensor.shape[axis], torch.SymInt):
                yield dimension.__name__, tensor.shape[axis]


def _limits(found: Any, cut: int) -> tuple[int, int | None]:
    low, high = int(found.lower), found.upper
    highest = min(int(high) if high.is_Integer else _UNLIMITED, cut)
    return (low if low > _ANY else 1), (highest if highest < _UNLIMITED else None)


def _cut_at(size: torch.SymInt) -> int:
    """Return how many rows there are of what is cut to a size and then must have it: torch supposes s == Min(30, s)."""
    symbol, found = size.node.expr, [_UNLIMITED]
    for axiom, holds in size.node.shape_env.axioms.items():
        sides = set(axiom.args)
        if bool(holds) and type(axiom).__name__ == "Equality" and symbol in sides:
            (other,) = sides - {symbol} or {symbol}
            parts = set(other.args) if type(other).__name__ == "Min" else set()
            found += [int(part) for part in parts - {symbol} if symbol in parts and part.is_Integer]
    return min(found)


def with_limits(guards: SizeGuards, highest: Mapping[str, int]) -> SizeGuards:
    """Return guards whose dimensions are no larger than some sizes."""
    limits = dict(guards.limits)
    for name, high in highest.items():
        low, other = limits.get(name, (1, None))
        limits[name] = (low, high if other is None else min(high, other))
    return replace(guards, limits=limits)


def within_guards(source: ModelSource, guards: SizeGuards) -> ModelSource:
    """Return a source whose dimensions are no larger, and no smaller, than a program is for.

    Raises:
        InputError: more was said of a dimension, the samples have another size, or the number of rows decides.
    """
    example, notes, sampled = source.example, list[str](), _sampled_sizes(source)
    rules = {rule.name: rule for rule in example.rules}
    for name, (low, high) in guards.limits.items():
        said, found = example.choices.rule(name), DimensionRule(name, low, high)
        if name == batch_name(source.contract):
            raise InputError(_of_rows(source, str(found), low))
        if _is_within(said, low, high):
            continue
        if said.terms:
            rules[name] = said if high is None else said.joined(DimensionRule(name, high=high))
            continue
        if said.text or not found.allows(sampled.get(name, low)):
            raise InputError(
                f"a graph of this module is for {found}: outside of it the module's code takes another branch, or "
                f"fails; say so with {argument('dimensions', [str(found)], option='--dimension')}"
            )
        rules[name] = found
        notes.append(f"{found}: outside of it the module's code takes another branch, or fails")
    dimensions = {**source.contract.dimensions, **{name: rule.text for name, rule in rules.items()}}
    example = replace(example, rules=tuple(rules.values()))
    decided = list(_decided_sizes(source, example, guards.decisions))
    texts = dict.fromkeys(text for text, _ in decided if text)
    notes += [f"the graph assumes {text}: it was also run where that is not true" for text in texts]
    return replace(
        source,
        contract=replace(source.contract, dimensions=dimensions),
        example=example,
        notes=(*source.notes, *notes),
        decided_sizes=tuple(sizes for _, sizes in decided),
    )


def _decided_sizes(
    source: ModelSource, example: Example, decisions: Sequence[SizeDecision]
) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield what the graph supposes, and sizes at which the module's code decides otherwise, where there are such.

    The smallest ones without a word, and larger ones: of a single position much is alike that is not of six.

    Raises:
        InputError: the number of rows decides, or sizes do that nobody may ask.
    """
    batch = batch_name(source.contract)
    for decision in decisions:
        _check_rows_decide_nothing(source, decision)
        for least in (1, _SEVERAL):
            sizes = decision.contradicted(example.choices, example.sizes, least)
            others = {name: size for name, size in (sizes or {}).items() if name != batch}
            if sizes is None or (batch is not None and sizes[batch] != example.sizes[batch]):
                continue
            if source.samples_only:
                raise InputError(
                    f"the module's code decides by sizes ({decision.text}), and {argument('samples_only', True)} runs "
                    f"no others; write the sizes instead of {' and '.join(decision.names)}, or leave it out"
                )
            yield decision.text if least > 1 else "", others


def _check_rows_decide_nothing(source: ModelSource, decision: SizeDecision) -> None:
    batch = batch_name(source.contract)
    if batch is None or decision.names != (batch,):
        return
    # A row alone is asked of every module.
    any_rows = DimensionChoices(source.example.inputs)
    if decision.contradicted(any_rows, source.example.sizes, least=2) is not None:
        raise InputError(_of_rows(source, decision.text, source.example.sizes[batch]))


def _is_within(said: DimensionRule, low: int, high: int | None) -> bool:
    """Whether all sizes that a rule allows lie in a range."""
    smallest = said.nearest(said.low)
    return (smallest or 0) >= low and (high is None or (said.high is not None and said.high <= high))


def _sampled_sizes(source: ModelSource) -> dict[str, int]:
    """Return the sizes of the real rows; none where there are no rows."""
    contract = source.contract
    return {} if source.sample is None else sizes_of_rows(contract.inputs, source.sample, batch_name(contract))


def _of_rows(source: ModelSource, supposed: str, rows: int) -> str:
    batch = batch_name(source.contract)
    fixed = [
        replace(spec, shape=tuple(rows if size == batch else size for size in spec.shape))
        for spec in source.contract.inputs
    ]
    options = argument("inputs", [str(spec) for spec in fixed], option="--input")
    return (
        f"the module's code decides by the number of rows, and a graph holds one branch alone, which is that of "
        f"{supposed}; take the decision out of its forward, or fix the number: {options}"
    )
