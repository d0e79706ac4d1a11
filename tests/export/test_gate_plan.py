"""How much the gate runs: what a row costs is counted, and a budget decides."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_export.gate.gate_plan import FULL, MEMORY, SMALLEST, Budget
from parity_export.gate.row_cost import RowCost, RowCosts
from parity_export.gate.size_plans import plan_sizes
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError


class Sequence(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(30, width), nn.Linear(width, width)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embedding(ids))


class Twice(nn.Module):
    """One layer under two names, and code that looks at a number, which no copy of shapes has."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) * (2.0 if float(self.first.bias.sum()) > -1e9 else 1.0)


def source(module: nn.Module, *inputs: str) -> ModelSource:
    return source_from_module(module, inputs, OutputSpec(), "m")


def row(operations: int, values: int = 100) -> RowCost:
    return RowCost(operations, 1000, values, 10)


def test_the_operations_of_a_row_are_counted_without_computing() -> None:
    cost = RowCosts(source(nn.Linear(1000, 500), "x: float32[batch, 1000]"))({})
    assert cost is not None
    assert 2 * 1000 * 500 <= cost.operations <= 2.1 * 1000 * 500
    assert (cost.values, cost.largest) == (1500, 2000)


def test_a_longer_row_costs_more() -> None:
    costs = RowCosts(source(Sequence(16), "ids: int64[batch, time]"))
    short, long = costs({"time": 4}), costs({"time": 40})
    assert short is not None and long is not None
    assert long.operations == 10 * short.operations
    assert long.operators == short.operators


def test_counting_leaves_a_module_as_it_is() -> None:
    module = Twice().eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    cost = RowCosts(source(module, "x: float32[batch, 4]"))({})
    assert cost is not None and cost.operations > 2 * 2 * 16
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


@pytest.mark.parametrize("effort", ["quick", "normal", "thorough"])
def test_the_dearer_a_row_the_less_is_run(effort: str) -> None:
    plans = [Budget(effort, 0).main(row(10**power), 1.0, has_sample=False) for power in range(3, 13)]
    costs = [plan.rows for plan in plans]
    assert costs == sorted(costs, reverse=True)
    assert plans[0].rows == (32 if effort == "quick" else FULL.rows)
    assert (plans[-1].rows, plans[-1].far, plans[-1].backends) == (SMALLEST.rows, False, SMALLEST.backends)


def test_a_bigger_budget_runs_more() -> None:
    rows = [
        Budget(effort, 0).main(row(10**9), 1.0, has_sample=False).rows for effort in ("quick", "normal", "thorough")
    ]
    assert rows[0] < rows[1] < rows[2]


def test_what_is_kept_of_the_probes_fits_into_memory() -> None:
    heavy = row(1000, values=2_000_000)
    plan = Budget("thorough", 0).main(heavy, 1.0, has_sample=False)
    assert plan.memory(heavy) <= MEMORY < FULL.memory(heavy)


def test_sizes_that_cost_too_much_are_left_out_and_said() -> None:
    wide = source(Sequence(8000), "ids: int64[batch, time]")
    plans = plan_sizes(wide, "quick", ())
    asked = [one.dimensions["time"] for one in plans.sizes]
    assert len(asked) >= 2 and max(asked) < 128
    assert any("no run at time" in line and "operations a row" in line for line in plans.left_out)


@pytest.mark.slow
def test_a_package_says_how_much_was_run(tmp_path: Path) -> None:
    wide = source(nn.Sequential(nn.Linear(3000, 3000), nn.ReLU(), nn.Linear(3000, 2)), "x: float32[batch, 3000]")
    exported = export_package(wide, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    plan = json.loads((tmp_path / "p" / "parity.json").read_text())["plan"]
    assert plan["effort"] == "quick"
    assert plan["operations_per_row"] > 2 * 3000 * 3000
    assert plan["sizes"][0]["rows"] < 32
    assert any("rows of each kind of probe" in line for line in exported.gate_result.report.remarks())


def test_an_effort_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="'quick', 'normal', 'thorough'"):
        ExportOptions(effort="quik")  # type: ignore[arg-type]
