"""The parity gate: the same questions to torch and to every backend; one no is a no."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.batching import Answer
from parity_export.gate.comparison import Difference, away, close, compare
from parity_export.gate.engines import DEFAULT, REFERENCE, Engine, engines
from parity_export.gate.evaluator_difference import differing_operator
from parity_export.gate.expectation import INDEPENDENT_ROWS, Expectation
from parity_export.gate.missing_cells import missing_cells
from parity_export.memory import LARGE, give_back
from parity_runtime import ModelContract
from parity_runtime.errors import first_line
from parity_runtime.inputs import Arrays


@dataclass(frozen=True)
class Cell:
    """One engine at one batch size, compared on ``rows`` probes.

    Attributes:
        engine: the backend and its configuration.
        batch: how many rows were asked at a time.
        dimensions: the sizes of the other dynamic dimensions.
        rows: how many probes were asked.
        differences: what was found, an output and a group of probes each.
    """

    engine: Engine
    batch: int
    dimensions: dict[str, int]
    rows: int
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether an output lies outside its tolerance, or nothing was compared although there were values."""
        return any(found.outside for found in self.differences) or self._compared_nothing

    @property
    def _compared_nothing(self) -> bool:
        values, compared = (sum(getattr(found, name) for found in self.differences) for name in ("values", "compared"))
        return compared == 0 and (values > 0 or not self.differences)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self.engine.to_json() | {
            "batch": self.batch,
            "dimensions": self.dimensions,
            "rows": self.rows,
            "differences": [difference.to_json() for difference in self.differences],
        }

    def reasons(self) -> Iterator[str]:
        """Yield why this cell failed, a line each."""
        sizes = "".join(f", {name} {size}" for name, size in self.dimensions.items())
        where = f"{self.engine}, batch {self.batch}{sizes}"
        if self._compared_nothing:
            yield f"{where}: nothing was compared"
        for found in self.differences:
            if found.outside:
                distance = "" if found.output == "label" else f", by up to {found.max_abs:.3g}"
                yield (
                    f"{where}: {found.outside} of {found.compared} values of {found.output} ({found.group} probes) "
                    f"differ{distance}"
                )


@dataclass
class Report:
    """What the gate found. It passes iff there is no mismatch, at least one cell, and no cell failed.

    Attributes:
        mismatches: names, dtypes and shapes that differ from the contract; values are not compared then.
        cells: the engines at each batch size.
        not_run: engines that could not run the graph, and why.
        evaluator: where ONNX's reference evaluator alone answers otherwise, a line each; reported, not gated: it has
            faults of its own, and every configuration of onnxruntime agrees with torch.
        nonfinite: how answers to NaN and infinite inputs compare; reported, not gated.
        row_independent: whether rows of one batch do not influence one another; None if not reached.
    """

    mismatches: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    evaluator: list[str] = field(default_factory=list)
    nonfinite: dict[str, int] = field(default_factory=dict)
    row_independent: bool | None = None

    @property
    def passed(self) -> bool:
        """Whether the graph answers as the module does."""
        return not self.mismatches and bool(self.compared) and not self._decisive

    @property
    def _decisive(self) -> list[Cell]:
        """The failed cells that refuse: ONNX's reference evaluator does not refuse alone."""
        return [cell for cell in self.cells if cell.failed and not (cell.engine == REFERENCE and self.evaluator)]

    def differences(self, output: str, group: str) -> list[Difference]:
        """Return one output's differences on one group of probes, a cell each."""
        found = [difference for cell in self.cells for difference in cell.differences]
        return [difference for difference in found if (difference.output, difference.group) == (output, group)]

    def reasons(self) -> list[str]:
        """Return why the gate says no, a line each, the cells in order."""
        if not self.mismatches and not self.compared and not self._decisive:
            return ["nothing was compared"]
        return self.mismatches + [reason for cell in self._decisive for reason in cell.reasons()]

    def reason(self) -> str:
        """Return the first reason, and how many more there are."""
        first, *others = self.reasons()
        return f"{first} (and {len(others)} more)" if others else first

    def remarks(self) -> list[str]:
        """Return what a person should know although it refuses nothing, a line each."""
        return [f"not run: {line}" for line in self.not_run] + [f"reported: {line}" for line in self.evaluator]

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(difference.compared for cell in self.cells for difference in cell.differences)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "passed": self.passed,
            "mismatches": self.mismatches,
            "row_independent": self.row_independent,
            "nonfinite": self.nonfinite,
            "not_run": self.not_run,
            "evaluator": self.evaluator,
            "cells": [cell.to_json() for cell in self.cells],
        }


def run_gate(model: bytes, contract: ModelContract, expectations: Sequence[Expectation]) -> Report:
    """Compare a serialized graph, whose interface fits, with torch.

    Args:
        model: a serialized ONNX ModelProto.
        contract: what it must take and give.
        expectations: the questions and torch's answers, one for each assignment of the dynamic dimensions.
    """
    report = Report()
    for engine in engines(model):
        report.cells += _engine_cells(engine, model, contract, expectations, report)
        if len(model) > LARGE:
            give_back()
    report.evaluator = list(_evaluator_alone(model, expectations, report))
    if not report.passed:  # its answers may not even have the shapes that the rest compares
        return report
    default = DEFAULT.load(model, contract)
    report.row_independent = expectations[0].row_independent and _row_independent(default, expectations[0])
    report.nonfinite = _nonfinite(default, expectations[0])
    report.mismatches += missing_cells(default, expectations[0])
    return report


def _evaluator_alone(model: bytes, expectations: Sequence[Expectation], report: Report) -> Iterator[str]:
    """Yield which operator ONNX's reference evaluator computes otherwise, where all of onnxruntime agrees."""
    failed = [cell for cell in report.cells if cell.failed]
    if report.mismatches or not failed or any(cell.engine != REFERENCE for cell in failed):
        return
    cell = failed[0]
    expectation = next(one for one in expectations if one.dimensions == cell.dimensions)
    worst = max(cell.differences, key=lambda found: found.outside)
    call = expectation.batches.call(expectation.probes.inputs, np.array([worst.worst_probe]))
    operator = differing_operator(model, call)
    yield f"{REFERENCE} alone differs ({worst.outside} values of {worst.output}), by {operator}"


def _engine_cells(
    engine: Engine, model: bytes, contract: ModelContract, expectations: Sequence[Expectation], report: Report
) -> list[Cell]:
    """Load an engine, ask it everything, and let it go: it holds the weights once more."""
    answer = engine.load(model, contract)
    return [cell for one in expectations for cell in _cells(engine, answer, contract, one, report)]


def _cells(
    engine: Engine, answer: Answer, contract: ModelContract, expectation: Expectation, report: Report
) -> Iterator[Cell]:
    sizes = engine.batch_sizes if expectation.batches.name is not None else (1,)
    for batch in filter(expectation.takes, dict.fromkeys(min(size, expectation.largest_batch) for size in sizes)):
        expected = expectation(batch)
        available = max(len(expected.probes), batch) if expectation.row_independent else len(expected.probes)
        count = min(available, batch * engine.max_batches)
        rows = np.resize(np.arange(len(expected.probes)), count)  # asked again where a batch takes more than there are
        try:
            with np.errstate(all="ignore"):
                found = expectation.batches.ask(answer, expected.probes.inputs, rows, batch)
        except Exception as error:  # onnxruntime's and the reference evaluator's own
            reason = f"{engine} fails at batch {batch}: {first_line(error)}"
            (report.not_run if engine == REFERENCE else report.mismatches).append(reason)
            return
        differences = tuple(compare(found, contract, expected, rows))
        if any(one.outside for one in differences) and expectation.look_closer(away(found, expected, rows)):
            differences = tuple(compare(found, contract, expected, rows))
        yield Cell(engine, batch, expectation.dimensions, count, differences)


def _row_independent(answer: Answer, expectation: Expectation) -> bool:
    """Whether every row's answer stays within twice its tolerance when the other rows of its batch change."""
    expected = expectation(1)
    rows = np.arange(min(len(expected.probes), INDEPENDENT_ROWS))
    inputs, ask = expected.probes.inputs, expectation.batches.ask
    together, permuted = ask(answer, inputs, rows, len(rows)), ask(answer, inputs, rows[::-1], len(rows))
    alone = ask(answer, inputs, rows, 1)
    return all(
        close(other[name], together[name], 2 * expected.allowed[name][rows])
        for other in (alone, {name: array[::-1] for name, array in permuted.items()})
        for name in expected.tolerances["ordinary"]
    )


def _nonfinite(answer: Answer, expectation: Expectation) -> dict[str, int]:
    """Count values that are alike (finite, NaN, or the same infinity) when every input is NaN or infinite."""
    inputs = expectation.drawing.nonfinite()
    rows = np.arange(len(next(iter(inputs.values()))))
    try:
        with np.errstate(all="ignore"):
            wanted = expectation.batches.ask(expectation.torch_float32, inputs, rows, 1)
    except Exception:
        return {}
    found: Arrays = expectation.batches.ask(answer, inputs, rows, 1)
    floats = [name for name, array in wanted.items() if array.dtype.kind == "f"]
    alike = sum(int((_sort_of(found[name]) == _sort_of(wanted[name])).sum()) for name in floats)
    return {"values": sum(wanted[name].size for name in floats), "alike": alike}


def _sort_of(array: NDArray[Any]) -> NDArray[Any]:
    """Return 0 for finite, 1 and -1 for the infinities, 2 for NaN."""
    return np.where(np.isnan(array), 2, np.where(np.isinf(array), np.sign(array), 0))
