"""The parity gate: the same questions to torch and to every configuration of onnxruntime; one no is a no."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.comparison import Difference, Expected, compare
from parity_runtime import ModelContract
from parity_runtime.inputs import Arrays
from parity_runtime.session import OPTIMIZATIONS, Optimization, create_session

BATCH_SIZES = (1, 2, 3, 7, 64, 1000)
_MAX_BATCHES = 64  # of one size: 64 single rows are enough to see that a batch of one answers like the others

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    **{f"tensor({name})": name for name in ("bool", "int64", "int32", "int16", "int8", "uint8")},
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run the graph."""

    optimization: Optimization
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"onnxruntime cpu, optimization {self.optimization}, {self.threads} thread(s), batch {self.batch}"


@dataclass(frozen=True)
class Cell:
    """One configuration, compared on ``rows`` probes."""

    configuration: Configuration
    rows: int
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether an output lies outside its tolerance, or nothing was compared at all."""
        return any(found.outside for found in self.differences) or not any(found.compared for found in self.differences)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        differences = [difference.to_json() for difference in self.differences]
        return asdict(self.configuration) | {"rows": self.rows, "differences": differences}


@dataclass
class Report:
    """What the gate found. It passes iff there is no mismatch, at least one cell, and no cell failed.

    Attributes:
        mismatches: names, dtypes and shapes that differ from the contract; values are not compared then.
        cells: the configurations.
        row_independent: whether rows of one batch do not influence one another; None if not reached.
    """

    mismatches: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    row_independent: bool | None = None

    @property
    def passed(self) -> bool:
        """Whether the graph answers as the module does."""
        return not self.mismatches and bool(self.cells) and not any(cell.failed for cell in self.cells)

    def differences(self, output: str, group: str) -> list[Difference]:
        """Return one output's differences on one group of probes, a configuration each."""
        found = [difference for cell in self.cells for difference in cell.differences]
        return [difference for difference in found if (difference.output, difference.group) == (output, group)]

    def reasons(self) -> list[str]:
        """Return why the gate says no, a line each, the configurations in order."""
        if not self.mismatches and not self.cells:
            return ["nothing was compared"]
        return self.mismatches + [
            f"{cell.configuration}: {reason}" for cell in self.cells if cell.failed for reason in _reasons(cell)
        ]


def run_gate(
    model: bytes, contract: ModelContract, expected: Callable[[int], Expected], *, row_independent: bool
) -> Report:
    """Compare a serialized graph with torch: names, then dtypes and shapes, then values.

    Args:
        model: a serialized ONNX ModelProto.
        contract: what it must take and give.
        expected: the questions and torch's answers, asked in batches of the given size.
        row_independent: whether torch's rows do not influence one another.
    """
    report = Report(mismatches=list(_mismatches(create_session(model), contract)))
    if report.mismatches:
        return report
    for configuration in configurations():
        session = create_session(model, threads=configuration.threads, optimization=configuration.optimization)
        report.cells.append(_cell(session, configuration, contract, expected(configuration.batch)))
    report.row_independent = row_independent and _row_independent(create_session(model), contract, expected(1))
    return report


def configurations() -> list[Configuration]:
    """Return the configurations that every export must pass."""
    return [Configuration(optimization, 1, batch) for optimization in OPTIMIZATIONS for batch in BATCH_SIZES]


def in_batches(answer: Callable[[Arrays], Arrays], inputs: Arrays, rows: NDArray[np.int64], batch: int) -> Arrays:
    """Return the outputs for ``rows`` of ``inputs``, asked in batches of ``batch``, the last one shorter."""
    parts = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    answers = [answer({name: array[part] for name, array in inputs.items()}) for part in parts]
    return {name: np.concatenate([outputs[name] for outputs in answers]) for name in answers[0]}


def session_answers(session: Any, contract: ModelContract) -> Callable[[Arrays], Arrays]:
    """Return a function from inputs by name to outputs by name."""
    names = [spec.name for spec in contract.outputs]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def _reasons(cell: Cell) -> Iterator[str]:
    if not any(difference.compared for difference in cell.differences):
        yield "nothing was compared"
    for found in cell.differences:
        if found.outside:
            distance = "" if found.output == "label" else f", by up to {found.max_abs:.3g}"
            yield (
                f"{found.outside} of {found.compared} values of {found.output} ({found.group} probes) "
                f"differ{distance} (worst: probe {found.worst_probe})"
            )


def _mismatches(session: Any, contract: ModelContract) -> Iterator[str]:
    for side, specs, found in (
        ("inputs", contract.inputs, session.get_inputs()),
        ("outputs", contract.outputs, session.get_outputs()),
    ):
        names = [tensor.name for tensor in found]
        if names != [spec.name for spec in specs]:
            yield f"the graph's {side} are {', '.join(names)}; expected {', '.join(spec.name for spec in specs)}"
            continue
        for spec, tensor in zip(specs, found, strict=True):
            given = f"{tensor.name}: {_DTYPES.get(tensor.type, tensor.type)}[{', '.join(map(str, tensor.shape))}]"
            if given != str(spec):
                yield f"the graph has {given}; expected {spec}"


def _cell(session: Any, configuration: Configuration, contract: ModelContract, expected: Expected) -> Cell:
    rows = np.arange(min(len(expected.probes), configuration.batch * _MAX_BATCHES))
    found = in_batches(session_answers(session, contract), expected.probes.inputs, rows, configuration.batch)
    return Cell(configuration, len(rows), tuple(compare(found, contract, expected, rows)))


def _row_independent(session: Any, contract: ModelContract, expected: Expected) -> bool:
    """Whether every row's answer stays within twice its tolerance when the other rows of its batch change."""
    rows = np.arange(min(len(expected.probes), _MAX_BATCHES))
    answer, inputs = session_answers(session, contract), expected.probes.inputs
    together = in_batches(answer, inputs, rows, len(rows))
    permuted = in_batches(answer, inputs, rows[::-1], len(rows))
    alone = in_batches(answer, inputs, rows, 1)
    return all(
        close(other[name], together[name], 2 * expected.allowed[name][rows])
        for other in (alone, {name: array[::-1] for name, array in permuted.items()})
        for name in expected.tolerances["ordinary"]
    )


def close(first: NDArray[Any], second: NDArray[Any], allowed: NDArray[np.float64]) -> bool:
    """Whether two arrays differ by at most ``allowed`` everywhere; equal infinities and NaN are alike."""
    with np.errstate(invalid="ignore"):
        near = np.abs(first.astype(np.float64) - second.astype(np.float64)) <= allowed
    return bool((near | (first == second) | (np.isnan(first) & np.isnan(second))).all())
