"""Which sizes of the dynamic dimensions are run, and how much at each: the budget is divided before anything is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from parity_export.export_options import Effort
from parity_export.gate.dimension_sizes import Sizes, accepted_sizes, main_sizes, other_dimensions
from parity_export.gate.gate_plan import Budget, GatePlan, smallest_plan
from parity_export.gate.row_cost import RowCost, RowCosts
from parity_export.sources.model_source import ModelSource

_MAIN = 0.6  # of the budget: for the sizes of the sample, or those of the export


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
    if names and not source.samples_only:
        _plan_others(plans, budget, costs, lengths)
    found = ", ".join(plan.left_out())
    plans.left_out[:0] = [found] if found else []
    return plans


def _plan_others(plans: GatePlans, budget: Budget, costs: RowCosts, lengths: tuple[int, ...]) -> None:
    """Divide what is left among the other sizes, the cheapest first; one at least is run, whatever it costs."""
    names = [*plans.sizes[0].dimensions]
    listed = list(_candidates(plans, budget, costs, lengths))
    candidates = sorted(listed, key=lambda one: one[1].operations)
    for index, (dimensions, row) in enumerate(candidates):
        plan = budget.other(row, 1 / (len(candidates) - index), plans.sizes[0].plan)
        if plan is None and index == 0:
            plan = smallest_plan(row)
        if plan is None:
            plans.left_out.append(f"no run at {_at(dimensions)} ({row.operations:.2g} operations a row)")
        else:
            plans.sizes.append(SizePlan(replace(costs.source, sample=None), dimensions, plan))
    order = [dimensions for dimensions, _ in listed]
    plans.sizes[1:] = sorted(plans.sizes[1:], key=lambda one: order.index(one.dimensions))
    if not candidates:
        plans.left_out.append(f"no run at another size of {', '.join(names)}")


def _candidates(
    plans: GatePlans, budget: Budget, costs: RowCosts, lengths: tuple[int, ...]
) -> Iterator[tuple[Sizes, RowCost]]:
    """Yield the sizes that can be afforded and that torch accepts, with what a row costs there."""
    dear = dict[str, None]()

    def affordable(sizes: Sizes) -> bool:
        row = costs(sizes)
        if row is None or smallest_plan(row).cost(row) <= budget.work / 2:  # what torch refuses it says itself
            return True
        dear[f"{_at(sizes)} ({row.operations:.2g} operations a row)"] = None
        return False

    names = [*plans.sizes[0].dimensions]
    for dimensions in accepted_sizes(costs.source, names, plans.refused, lengths, affordable):
        row = costs(dimensions)
        if row is not None:
            yield dimensions, row
    if dear:
        plans.left_out.append(f"no run at {', '.join(dear)}")


def _at(dimensions: dict[str, int]) -> str:
    return ", ".join(f"{name} {size}" for name, size in dimensions.items())
