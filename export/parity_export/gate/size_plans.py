"""Which sizes of the dynamic dimensions are run, and how much at each: the budget is divided before anything is run."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from parity_export.export_options import Effort
from parity_export.gate.dimension_sizes import LONG, OTHER_SIZES, main_sizes, other_dimensions, refusal
from parity_export.gate.gate_plan import Budget, GatePlan, smallest_plan
from parity_export.gate.row_cost import RowCost, RowCosts
from parity_export.sources.model_source import ModelSource

_MAIN = 0.6  # of the budget: for the sizes of the sample, or those of the export
_OTHER_RUN = 4  # sizes of `OTHER_SIZES`, the first that torch accepts
_LONG_SIZES = (LONG, 64, 32)  # of which the first is run that can be afforded


@dataclass(frozen=True)
class SizePlan:
    """How much is run at one assignment of the dynamic dimensions.

    Attributes:
        source: the module, with the sample where it has these sizes.
        dimensions: the size of every dynamic dimension but the batch.
        plan: how much is run.
    """

    source: ModelSource
    dimensions: dict[str, int]
    plan: GatePlan


@dataclass
class GatePlans:
    """How much a gate runs, at which sizes.

    Attributes:
        effort: whose budget was divided.
        row: what a row costs at the main sizes; None where that is unknown.
        sizes: the main ones first.
        left_out: what a bigger budget would add, a line each.
        refused: sizes that torch itself refuses, with its own sentence.
    """

    effort: Effort
    row: RowCost | None
    sizes: list[SizePlan]
    left_out: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "effort": self.effort,
            "operations_per_row": None if self.row is None else self.row.operations,
            "sizes": [{"dimensions": one.dimensions, **one.plan.to_json()} for one in self.sizes],
            "left_out": self.left_out,
        }


def plan_sizes(source: ModelSource, effort: Effort, lengths: tuple[int, ...]) -> GatePlans:
    """Divide an effort's budget among the sizes at which a module is run.

    Args:
        source: the module.
        effort: whose budget.
        lengths: sizes that show where the graph cuts an axis.
    """
    names = other_dimensions(source.contract)
    main = main_sizes(source, names)
    costs = RowCosts(source)
    row = costs(main)
    known = row or RowCost(0, 0, 0, 0)
    budget = Budget(effort, sum(tensor.numel() for tensor in source.module.state_dict().values()))
    plan = budget.main(known, _MAIN if names else 1.0, has_sample=source.sample is not None)
    plans = GatePlans(effort, row, [SizePlan(source, main, plan)])
    if names:
        _plan_others(plans, budget, replace(source, sample=None), lengths)
    found = ", ".join(plan.left_out())
    plans.left_out[:0] = [found] if found else []
    return plans


def _plan_others(plans: GatePlans, budget: Budget, source: ModelSource, lengths: tuple[int, ...]) -> None:
    """Divide what is left among the other sizes, the cheapest first; one at least is run, whatever it costs."""
    names = [*plans.sizes[0].dimensions]
    listed = list(_candidates(plans, budget, source, lengths))
    candidates = sorted(listed, key=lambda one: one[1].operations)
    for index, (dimensions, row) in enumerate(candidates):
        plan = budget.other(row, 1 / (len(candidates) - index), plans.sizes[0].plan)
        if plan is None and index == 0:
            plan = smallest_plan(row)
        if plan is None:
            plans.left_out.append(f"{_at(dimensions)}, where a row takes {row.operations:.2g} operations")
        else:
            plans.sizes.append(SizePlan(source, dimensions, plan))
    order = [dimensions for dimensions, _ in listed]
    plans.sizes[1:] = sorted(plans.sizes[1:], key=lambda one: order.index(one.dimensions))
    if not candidates:
        plans.left_out.append(f"another size of {', '.join(names)}")


def _candidates(
    plans: GatePlans, budget: Budget, source: ModelSource, lengths: tuple[int, ...]
) -> Iterator[tuple[dict[str, int], RowCost]]:
    """Yield the sizes that torch accepts, with what a row costs there."""
    names = [*plans.sizes[0].dimensions]
    accepted = (_accepted(plans, source, dict.fromkeys(names, size)) for size in OTHER_SIZES)
    yield from itertools.islice((one for one in accepted if one is not None), _OTHER_RUN)
    for size in _LONG_SIZES:
        dimensions = dict.fromkeys(names, size)
        row = measure_row_cost(source, dimensions)
        if row is None or smallest_plan(row).cost(row) <= budget.work / 2:
            found = _accepted(plans, source, dimensions)
            yield from [] if found is None else [found]
            break
        plans.left_out.append(f"{_at(dimensions)}, where a row takes {row.operations:.2g} operations")
    for size in lengths:
        found = _accepted(plans, source, dict.fromkeys(names, size))
        yield from [] if found is None else [found]


def _accepted(
    plans: GatePlans, source: ModelSource, dimensions: dict[str, int]
) -> tuple[dict[str, int], RowCost] | None:
    """Return sizes and what a row costs there; None where torch refuses them, which is noted."""
    reason = refusal(source, dimensions)
    row = None if reason is not None else measure_row_cost(source, dimensions)
    if reason is not None:
        plans.refused.append(f"torch at {dimensions}: {reason}")
    return None if row is None else (dimensions, row)


def _at(dimensions: dict[str, int]) -> str:
    return ", ".join(f"{name} {size}" for name, size in dimensions.items())
