"""The parity gate: the same questions to torch and to every configuration of onnxruntime; one no is a no."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity_export.probes import Probes, margins
from parity_export.tolerances import groups
from parity_runtime import ModelContract, TensorSpec, Tolerance
from parity_runtime.contract import LABEL, LOGITS
from parity_runtime.inputs import Arrays
from parity_runtime.session import OPTIMIZATIONS, Optimization, create_session

BATCH_SIZES = (1, 2, 3, 7, 64, 1000)
_MAX_BATCHES = 64  # of one size: 64 single rows are enough to see that a batch of one answers like the others


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run the graph."""

    optimization: Optimization
    threads: int
    batch: int

    def __str__(self) -> str:
        return f"onnxruntime cpu, optimization {self.optimization}, {self.threads} thread(s), batch {self.batch}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One output of one configuration against float64.

    Attributes:
        output: its name.
        compared: how many values were compared; values that float32 cannot hold are not.
        max_abs: largest absolute deviation, in the output's unit.
        max_rel: largest deviation relative to the float64 value.
        max_ulp: largest deviation in units in the last place of the float64 value's float32 neighbourhood.
        outside: how many values lie outside their tolerance (labels: how many rows flipped).
        worst_row: the probe with the largest deviation.
    """

    output: str
    compared: int
    max_abs: float
    max_rel: float
    max_ulp: float
    outside: int
    worst_row: int


@dataclass(frozen=True)
class Cell:
    """One configuration, compared."""

    configuration: Configuration
    rows: int
    differences: tuple[Difference, ...]

    @property
    def failed(self) -> bool:
        """Whether an output lies outside its tolerance, or nothing was compared at all."""
        return any(difference.outside for difference in self.differences) or not any(
            difference.compared for difference in self.differences
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self.configuration) | {
            "rows": self.rows,
            "outputs": {difference.output: _without_name(difference) for difference in self.differences},
        }


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

    def reasons(self) -> list[str]:
        """Return why the gate says no, a line each, the configurations in order."""
        if not self.mismatches and not self.cells:
            return ["nothing was compared"]
        failed = [(cell, difference) for cell in self.cells for difference in cell.differences if difference.outside]
        empty = [f"{cell.configuration}: nothing was compared" for cell in self.cells if cell.failed and not failed]
        return [*self.mismatches, *empty] + [
            f"{cell.configuration}: {difference.outside} of {difference.compared} values of {difference.output} "
            f"differ, by up to {difference.max_abs:.3g} (probe {difference.worst_row})"
            for cell, difference in failed
        ]


@dataclass(frozen=True)
class Expected:
    """What torch answers to the probes.

    Attributes:
        probes: the questions.
        float32: torch's answers in float32, by output.
        float64: torch's answers in float64, by output.
        tolerances: by group of probes, then by output.
    """

    probes: Probes
    float32: Arrays
    float64: Arrays
    tolerances: dict[str, dict[str, Tolerance]]

    def allowed(self, output: str) -> NDArray[np.float64]:
        """Return the allowed absolute deviation of one output, of its shape."""
        values = self.float64[output]
        allowed = np.zeros(values.shape)
        for group, rows in groups(self.probes).items():
            allowed[rows] = self.tolerances[group][output].allowed(values[rows])
        return allowed


def run_gate(model: bytes, contract: ModelContract, expected: Expected) -> Report:
    """Compare a serialized graph with torch: names, then dtypes and shapes, then values.

    Args:
        model: a serialized ONNX ModelProto.
        contract: what it must take and give.
        expected: the questions and torch's answers.
    """
    report = Report(mismatches=list(_mismatches(create_session(model), contract)))
    if report.mismatches:
        return report
    allowed = {name: expected.allowed(name) for name in expected.tolerances["ordinary"]}
    for configuration in configurations():
        session = create_session(model, threads=configuration.threads, optimization=configuration.optimization)
        report.cells.append(_cell(session, configuration, contract, expected, allowed))
    report.row_independent = _row_independent(create_session(model), contract, expected, allowed)
    return report


def configurations() -> list[Configuration]:
    """Return the configurations that every export must pass."""
    return [Configuration(optimization, 1, batch) for optimization in OPTIMIZATIONS for batch in BATCH_SIZES]


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
            given = TensorSpec(spec.name, _DTYPES.get(tensor.type, "float32"), tuple(tensor.shape))
            if given != spec:
                yield f"the graph has {given}; expected {spec}"


_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
           "tensor(bool)": "bool"} | {f"tensor({name})": name for name in
                                      ("int64", "int32", "int16", "int8", "uint8")}  # fmt: skip


def _cell(
    session: Any, configuration: Configuration, contract: ModelContract, expected: Expected, allowed: Arrays
) -> Cell:
    rows = np.arange(len(expected.probes))[: configuration.batch * _MAX_BATCHES]
    found = run_batches(session, contract, expected.probes.inputs, rows, configuration.batch)
    differences = tuple(_differences(found, contract, expected, allowed, rows))
    return Cell(configuration, len(rows), differences)


def run_batches(
    session: Any, contract: ModelContract, inputs: Arrays, rows: NDArray[np.int64], batch: int
) -> Arrays:
    """Return the outputs for ``rows``, run in batches of ``batch``, the last one shorter."""
    names = [spec.name for spec in contract.outputs]
    slices = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    answers = [session.run(names, {name: array[part] for name, array in inputs.items()}) for part in slices]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*answers, strict=True), strict=True)}


def _differences(
    found: Arrays, contract: ModelContract, expected: Expected, allowed: Arrays, rows: NDArray[np.int64]
) -> Iterable[Difference]:
    for spec in contract.outputs:
        name = spec.name
        if found[name].shape != expected.float64[name][rows].shape:
            size = expected.float64[name][rows].size
            yield Difference(name, size, float("inf"), float("inf"), float("inf"), size, int(rows[0]))
        elif name == LABEL and contract.is_classifier:
            yield _label_difference(found, contract, expected, allowed, rows)
        else:
            float32, float64 = expected.float32[name][rows], expected.float64[name][rows]
            limit = allowed[name][rows] if name in allowed else np.zeros(float64.shape)
            yield _value_difference(name, found[name], float32, float64, limit, rows)


def _value_difference(
    name: str,
    found: NDArray[Any],
    float32: NDArray[Any],
    float64: NDArray[Any],
    allowed: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> Difference:
    compared = np.isfinite(float32) & np.isfinite(float64)  # what overflows float32 in torch itself is no measure
    exact = float64.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        distance = np.where(compared, np.abs(found.astype(np.float64) - exact), 0.0)
        distance = np.where(np.isnan(distance), np.inf, distance)
        relative = np.where(distance > 0, distance / np.abs(exact), 0.0)
        ulp = np.where(distance > 0, distance / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64), 0.0)
    flat = int(distance.reshape(len(rows), -1).max(axis=1, initial=0.0).argmax()) if len(rows) else 0
    return Difference(
        name,
        int(compared.sum()),
        float(distance.max(initial=0.0)),
        float(relative.max(initial=0.0)),
        float(np.nan_to_num(ulp, nan=np.inf).max(initial=0.0)),
        int((distance > allowed).sum()),
        int(rows[flat]),
    )


def _label_difference(
    found: Arrays, contract: ModelContract, expected: Expected, allowed: Arrays, rows: NDArray[np.int64]
) -> Difference:
    """Count rows whose label differs although their float64 margin exceeds the tolerance of the logits."""
    logits, labels = expected.float64[LOGITS][rows], expected.float64[LABEL][rows]
    decided = margins(contract, logits) > _reach(contract, allowed[LOGITS][rows])
    decided &= np.isfinite(expected.float32[LOGITS][rows]).all(axis=1)
    flipped = decided & (found[LABEL] != labels)
    worst = int(rows[int(flipped.argmax())])
    return Difference(LABEL, int(decided.sum()), float(flipped.any()), 0.0, 0.0, int(flipped.sum()), worst)


def _reach(contract: ModelContract, allowed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the margin of each row may err: one logit's tolerance, or the two largest together."""
    return allowed[:, 0] if contract.task == "binary" else np.sort(allowed, axis=1)[:, -2:].sum(axis=1)


def _row_independent(session: Any, contract: ModelContract, expected: Expected, allowed: Arrays) -> bool:
    """Whether every row's answer stays within twice its tolerance when the other rows of its batch change."""
    rows = np.arange(min(len(expected.probes), _MAX_BATCHES))
    together = run_batches(session, contract, expected.probes.inputs, rows, len(rows))
    permuted = run_batches(session, contract, expected.probes.inputs, rows[::-1], len(rows))
    alone = run_batches(session, contract, expected.probes.inputs, rows, 1)
    return all(
        _close(other[name], together[name], 2 * allowed[name][rows])
        for other in (alone, {name: array[::-1] for name, array in permuted.items()})
        for name in allowed
    )


def _close(first: NDArray[Any], second: NDArray[Any], allowed: NDArray[np.float64]) -> bool:
    with np.errstate(invalid="ignore"):
        near = np.abs(first.astype(np.float64) - second.astype(np.float64)) <= allowed
    return bool((near | (first == second) | (np.isnan(first) & np.isnan(second))).all())


def _without_name(difference: Difference) -> dict[str, Any]:
    """Return a difference for JSON; what is not finite becomes null."""
    values = asdict(difference)
    del values["output"]
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()
    }
