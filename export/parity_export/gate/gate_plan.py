"""How much the gate runs: the most telling rows, batches and backends first, under a budget of work and memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from parity_export.export_options import Effort
from parity_export.gate.row_cost import RowCost

BUDGETS = {"quick": 1e11, "normal": 7e11, "thorough": 3e13}
"""Operations of a whole gate, as `parity_export.gate.row_cost` counts them: two cores compute some 5e10 a second. They
are counted, not timed, so that the same model gets the same probes on every machine."""

BATCH_SIZES = (1, 2, 3, 7, 64, 1000)

_MOST_ROWS = {"quick": 32, "normal": 256, "thorough": 256}  # of each random kind
MEMORY = 2**29  # bytes of all that is kept of the probes: answers, envelopes, tolerances
_KEPT = 40  # bytes that a value takes in all of these forms together
_CALL = 1e6  # operations that torch takes for each operator of a call, whatever its size: some 20 us
_BACKEND_CALL = 1e5  # the same of onnxruntime
_LOAD = 700  # operations that a backend costs for each parameter when it is loaded: it reads and lays out the weights
_REFERENCE = 40  # how much slower ONNX's reference evaluator is, written in Python
_FLOAT64 = 4  # how much slower torch is in float64 (convolutions without oneDNN)
_HONEST = 12  # evaluations that the honest float32 evaluations of one probe cost, some with every operand moved
_FEW_HONEST = 6  # of the most telling two
_FEWER = 4  # times fewer rows are run at other sizes, where rows cost much
_BOUNDARIES = 32  # pairs at least: each class's decision is looked for
_FEW = 16  # rows of each kind: below, what is expensive is left out

_LADDER = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_BACKENDS = (8, 4, 3)  # configurations of onnxruntime: all of them, or the most telling


@dataclass(frozen=True)
class GatePlan:
    """What is run at one assignment of the dynamic dimensions.

    Attributes:
        rows: of each random kind of probe.
        far: whether rows near zero and far away are drawn, beside those of the range that the model is used in.
        backends: how many configurations of onnxruntime are run, the most telling first.
        batch: how many rows one call takes at most.
        reference: whether ONNX's reference evaluator is run.
        has_sample: whether there are real rows.
    """

    rows: int = _LADDER[0]
    far: bool = True
    backends: int = _BACKENDS[0]
    batch: int = 2**62
    reference: bool = True
    has_sample: bool = True

    @property
    def is_small(self) -> bool:
        """Whether expensive evaluations are left out."""
        return self.rows < _FEW

    @property
    def sample_rows(self) -> int:
        """How many real rows are taken."""
        return 2 * self.rows if self.has_sample else 0

    @property
    def special_values(self) -> int | None:
        """With how many special values rows are filled; None for all."""
        return -(-self.rows // 2) * self.far if self.is_small else None

    @property
    def draws_limits(self) -> bool:
        """Whether rows are filled with the smallest and the largest numbers."""
        return self.rows > 2

    @property
    def checked_rows(self) -> int:
        """How many rows show whether rows are independent, and answers the same each time."""
        return 2 if self.is_small else 64

    @property
    def boundary_rows(self) -> int:
        """How many pairs of rows are halved towards a decision."""
        return 0 if self.is_small else max(_BOUNDARIES, self.rows // 4)

    @property
    def searched_rows(self) -> int:
        """From how many rows a search for disagreement starts."""
        return 0 if self.is_small else self.rows // 8

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """In which batch sizes a backend is run."""
        wanted = (1, min(max(3, 2 * self.rows), 7)) if self.is_small else BATCH_SIZES
        return tuple(dict.fromkeys(min(size, self.batch) for size in wanted))

    @property
    def max_batches(self) -> int:
        """How many batches of one size a backend is run at most."""
        return 64 if not self.is_small else max(1, self.rows)

    def cost(self, row: RowCost) -> float:
        """Return the operations that it takes, of a row's cost; backends are loaded already."""
        probes = self._num_probes()
        honest = _HONEST if self.far else _FEW_HONEST
        checks = 2 * min(self.checked_rows, probes) * (1 + (1 if self.is_small else 2) * _FLOAT64)
        torch = probes * (1 + _FLOAT64 + honest) + checks
        searches = self.boundary_rows * 60 * _FLOAT64 + self.searched_rows * 26 * (_FLOAT64 + 1)
        batches = sum(self._run_rows(size, probes) for size in self.batch_sizes)
        reference = self.reference * _REFERENCE * (1 if self.is_small else 13)
        rows = torch + searches + self.backends * batches + reference
        return rows * row.operations + self._calls(row) * row.operators

    def _calls(self, row: RowCost) -> float:
        """Return the operations that an operator takes in all calls, beside those of the rows."""
        probes = self._num_probes()
        whole = -(-probes // min(probes, row.largest_batch))
        evaluations = _HONEST if self.far else _FEW_HONEST
        alone = min(self.checked_rows, probes) + 60 * bool(self.boundary_rows) + 26 * bool(self.searched_rows)
        small = 64 * self.far
        run = sum(-(-self._run_rows(size, probes) // size) for size in self.batch_sizes)
        return (evaluations * whole + alone + small) * _CALL + self.backends * run * _BACKEND_CALL

    def memory(self, row: RowCost) -> int:
        """Return the bytes that the probes take with all that is kept of each."""
        return self._num_probes() * row.values * _KEPT

    def left_out(self) -> Iterator[str]:
        """Yield what a bigger budget would add, a part of a sentence each."""
        if self.rows < _LADDER[0]:
            kinds = "each kind of probe" if self.far else "two kinds of probes, none of NaN and infinity"
            yield f"{self.rows} of {_LADDER[0]} rows of {kinds}"
        if self.backends < _BACKENDS[0]:
            yield f"{self.backends} of {_BACKENDS[0]} configurations of onnxruntime"
        if not self.reference:
            yield "no run of ONNX's reference evaluator"
        if self.is_small:
            yield "no search along decisions and for rows that drive the two apart"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"rows": self.rows, "far": self.far, "backends": self.backends, "reference": self.reference,
                "searched": not self.is_small}  # fmt: skip

    def _num_probes(self) -> int:
        special = 30 if self.special_values is None else self.special_values * (3 if self.draws_limits else 1)
        drawn = (4 if self.far else 2) * self.rows
        return drawn + self.sample_rows + special + 3 * self.boundary_rows + self.searched_rows

    def _run_rows(self, size: int, probes: int) -> int:
        return min(max(probes, size), size * self.max_batches)


FULL = GatePlan()
"""Everything, as it is run where it costs little."""

SMALLEST = GatePlan(_LADDER[-1], far=False, backends=_BACKENDS[-1], reference=False)


@dataclass
class Budget:
    """What is left of an effort's work and memory.

    Attributes:
        effort: whose budget.
        parameters: of the module.
        work: operations that are left.
        memory: bytes that are left.
    """

    effort: Effort
    parameters: int
    work: float = 0.0
    memory: float = MEMORY

    def __post_init__(self) -> None:
        self.work = BUDGETS[self.effort] + self._loading(SMALLEST)

    def main(self, row: RowCost, share: float, *, has_sample: bool) -> GatePlan:
        """Return the fullest plan that a share of what is left allows, or the smallest; it is spent."""
        largest = GatePlan(_MOST_ROWS[self.effort], has_sample=has_sample)
        plan = next((one for one in _reduced(largest, row) if self._fits(one, row, share, self._loading(one))), None)
        plan = plan or smallest_plan(row, has_sample=has_sample)
        self._spend(plan, row, self._loading(plan))
        return plan

    def other(self, row: RowCost, share: float, main: GatePlan) -> GatePlan | None:
        """Return the fullest plan for other sizes that a share of what is left allows, and spend it.

        Args:
            row: what a row costs there.
            share: of what is left.
            main: what is run at the main sizes: backends are loaded once, and rows that cost much are fewer here.

        Returns:
            None where even the smallest plan takes more.
        """
        rows = max(1, main.rows // _FEWER) if main.is_small else main.rows
        largest = replace(main, rows=rows, far=main.far and rows > 1, has_sample=False)
        plan = next((one for one in _reduced(largest, row) if self._fits(one, row, share)), None)
        if plan is not None:
            self._spend(plan, row)
        return plan

    def _loading(self, plan: GatePlan) -> float:
        return float(plan.backends * _LOAD * self.parameters)

    def _fits(self, plan: GatePlan, row: RowCost, share: float, loading: float = 0.0) -> bool:
        return plan.memory(row) <= share * self.memory and plan.cost(row) + loading <= share * self.work

    def _spend(self, plan: GatePlan, row: RowCost, loading: float = 0.0) -> None:
        self.work = max(0.0, self.work - plan.cost(row) - loading)
        self.memory = max(0.0, self.memory - plan.memory(row))


def smallest_plan(row: RowCost, *, has_sample: bool = False) -> GatePlan:
    """Return what is run whatever it costs: a package without a comparison is none."""
    return replace(SMALLEST, batch=row.largest_batch, has_sample=has_sample)


def _reduced(largest: GatePlan, row: RowCost) -> Iterator[GatePlan]:
    """Yield a plan and smaller ones: fewer backends where rows are few already, then fewer rows."""
    for rows, far in [*((rows, True) for rows in _LADDER), (_LADDER[-1], False)]:
        if rows > largest.rows or far > largest.far:
            continue
        for backends in _BACKENDS if rows < _FEW else _BACKENDS[:1]:
            if backends <= largest.backends or rows >= _FEW:
                yield replace(
                    largest,
                    rows=rows,
                    far=far,
                    backends=min(backends, largest.backends),
                    batch=row.largest_batch,
                    reference=largest.reference and backends == _BACKENDS[0],
                )
