"""What torch answers to the probes, asked in the batches that the gate asks in."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.adversarial_search import adversarial_rows, boundary_rows
from parity_export.gate.batching import Batches, LazyModel, ModelFunction
from parity_export.gate.comparison import close
from parity_export.gate.determinism import check_determinism
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.float32_evaluations import float32_samples, neighbours, other_orders
from parity_export.gate.output_check import check_output_spec
from parity_export.gate.probe_sampling import ProbeSampler, integer_ranges
from parity_export.gate.probes import (
    CALENDAR,
    EXTREME,
    GAUSSIAN,
    LARGE,
    SAMPLE,
    SEED,
    SMALL,
    SPECIAL,
    SUBNORMAL,
    UNIFORM,
    Probes,
    concatenate,
)
from parity_export.gate.rounding_envelope import Envelope
from parity_export.gate.tolerances import FAR, check_precision, groups
from parity_export.gate.torch_reference import TorchReference
from parity_export.sources.model_source import ModelSource
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.contract import ERROR_BOUND, certified_contract
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import counted

_INDEPENDENT_RTOL = 1e-9
"""Rows are independent if float64 answers to 64 rows, together and alone, agree to that: float64's own rounding
(1.1e-16 an operation) stays far below, and a row that looks at its neighbours far above."""

INDEPENDENT_ROWS = 64

_JUMP = 4.0  # tolerances: rounding moves no value so far, because a tolerance is eight times what it does
_CLOSER = 0.25  # of the rows: a backend that answers more of them otherwise has no jumps, but another function

_MAX_VALUES = 16_000_000  # of one batch of inputs: 64 MB of float32


class _TorchRefusedError(Exception):
    """The module itself does not answer the probes in batches of some size."""


class Oracle:
    """The probes of a source and torch's answers to them.

    Where rows of a batch influence one another (a module that subtracts the batch's mean), torch is asked in the
    same batches as onnxruntime; else once.

    Args:
        source: the module and what it means, its outputs known.
        default_backend: onnxruntime's answers, for the adversarial search.
        dimensions: the size of every dynamic dimension but the batch.
        given: rtol and atol that a person set.
        certified: the answers of the certified graph, where torch's float64 answers are the exact ones of it.
        compared: numbers that the module or its graph compares with.

    Attributes:
        given: rtol and atol that a person set.
        batches: how rows are asked.
        torch_float32: torch's answers, outputs by name.
        torch_float64: the same, computed in float64.
        sampler: draws rows for the model.
        refused: the kinds of probes that torch itself refuses, and its own sentence, a line each.
        probes: the inputs that are compared.
        row_independent: whether torch's rows do not influence one another.
    """

    def __init__(
        self,
        source: ModelSource,
        default_backend: LazyModel,
        dimensions: Mapping[str, int],
        given: tuple[float, float] | None = None,
        certified: LazyModel | None = None,
        compared: Sequence[float] = (),
    ) -> None:
        self._source, self.given, self._default_backend, self._certified = source, given, default_backend, certified
        self.dimensions = dict(dimensions)
        self.batches = Batches(source.contract)
        self.torch_float64 = LazyModel(lambda: TorchReference(source, double=True))
        self.torch_float32 = TorchReference(source)
        ranges = integer_ranges(source.contract, dimensions, self._accepts)
        self.sampler = ProbeSampler(source.contract, dimensions, ranges, compared)
        self.refused: list[str] = []
        self._declined: set[int] = set()
        self.probes: Probes = self._make_probes()
        self.row_independent: bool = self.batches.name is not None and self._measure_independence()
        if not self.row_independent:  # one overflowing row would spoil every other row of its batch
            self.probes = self.probes.without(LARGE, CALENDAR, SPECIAL, SUBNORMAL, EXTREME)
        self._known: dict[int, ExpectedOutputs] = {}
        self._looked_at = np.zeros(0, np.int64)

    def __call__(self, batch: int) -> ExpectedOutputs:
        """Return the expected answers when asked in batches of ``batch``."""
        size = len(self.probes) if self.row_independent else batch
        if size not in self._known:
            self._known[size] = self._run(size)
        return self._known[size]

    @property
    def ordinary(self) -> NDArray[np.bool_]:
        """Which probes lie where the model is used."""
        return groups(self.probes)["ordinary"]

    @property
    def _far(self) -> NDArray[np.bool_]:
        members = groups(self.probes)
        return np.asarray(np.any([members[group] for group in FAR], axis=0))

    @property
    def largest_batch(self) -> int:
        """How many rows are asked at once at most: a thousand of them, unless that takes too much memory."""
        values = sum(int(array[0].size) for array in self.probes.inputs.values())
        return max(len(self.probes), _MAX_VALUES // max(1, values))

    def prepare(self, batch_sizes: Sequence[int]) -> None:
        """Ask torch all that will be needed at these batch sizes, and let the float64 copy and the backend go.

        A size that torch refuses is noted, and no backend is asked at it.

        Raises:
            InputError: torch refuses all rows as one batch.
        """
        for batch in dict.fromkeys((len(self.probes), *batch_sizes)):
            try:
                self(batch)
            except _TorchRefusedError as error:
                if batch == len(self.probes):
                    raise InputError(
                        f"the module itself fails on a batch of {counted(batch, 'row')}: {error}; fix its size with "
                        + argument("inputs", option="--input")
                    ) from error
                self.refused.append(f"torch in batches of {batch}: {error}")
                self._declined.add(batch)
        self.release()

    def accepts(self, batch: int) -> bool:
        """Whether torch answers the probes in batches of a size."""
        return batch not in self._declined

    def release(self) -> None:
        """Let the float64 copy and the default backend go until they are asked again."""
        self.torch_float64.release()
        self._default_backend.release()

    def reference(self, inputs: Arrays) -> Arrays:
        """Return torch's float64 answers to rows, rows first, as one batch."""
        return self._together(self.torch_float64, inputs)

    def float32(self, inputs: Arrays) -> Arrays:
        """Return torch's float32 answers to rows, rows first, as one batch."""
        return self._together(self.torch_float32, inputs)

    def onnxruntime(self, inputs: Arrays) -> Arrays:
        """Return onnxruntime's answers to rows, rows first, as one batch."""
        return self._together(self._default_backend, inputs)

    def error_bounds(self, call: Arrays) -> Arrays:
        """Return what the certified graph answers to one call; nothing where there is none."""
        return {} if self._certified is None else self._certified(call)

    def _together(self, answer: ModelFunction, inputs: Arrays) -> Arrays:
        rows = np.arange(len(next(iter(inputs.values()))))
        with np.errstate(all="ignore"):
            return self.batches.run(answer, inputs, rows, len(rows))

    def _make_probes(self) -> Probes:
        """Return every kind of probe, mixed: the first rows, which every batch size is asked, hold some of each."""
        random = np.random.default_rng(SEED)
        parts = self._answered(self.sampler.rows(random, self._source.sample))
        ordinary = concatenate(parts).without(SMALL, LARGE, CALENDAR, SPECIAL, SUBNORMAL, EXTREME)
        check_determinism(self._source.module, self.float32, ordinary.inputs)
        check_output_spec(self._source, ordinary)
        decision = self._source.contract.decision
        if decision is not None:
            parts += boundary_rows(ordinary, self.reference, random, decision)
        near = ordinary.without(GAUSSIAN)
        parts += adversarial_rows(near, self.reference, self.onnxruntime, random)
        self._default_backend.release()
        probes = concatenate(parts)
        return probes.take(_mixed(probes, random))

    def _answered(self, parts: list[Probes]) -> list[Probes]:
        """Return the parts that torch answers; what it refuses is noted with its own sentence.

        Raises:
            InputError: it refuses rows of the range that the model is used in.
        """
        if self._refusal(concatenate(parts)) is None:
            return parts
        reasons = [(part, self._refusal(part)) for part in parts]
        for part, reason in reasons:
            kind = str(part.kinds[0])
            if reason is not None and kind in (SAMPLE, UNIFORM):
                raise InputError(
                    f"the module itself fails on {kind} rows: {reason}; give rows that it takes with "
                    f"{argument('sample', option='--samples')}, and say what its inputs are with "
                    f"{argument('inputs', option='--input')}"
                )
            if reason is not None:
                self.refused.append(f"torch on {kind} probes: {reason}")
        return [part for part, reason in reasons if reason is None]

    def _refusal(self, probes: Probes) -> str | None:
        """Return why the module does not answer rows, in float32 or in float64; None if it does."""
        try:
            for answer in (self.float32, self.reference):
                answer(probes.inputs)
        except Exception as error:  # the user's own code
            return first_line(error)
        return None

    def _accepts(self, inputs: Arrays) -> bool:
        try:
            self.float32(inputs)
        except (IndexError, RuntimeError):
            return False
        return True

    def _run(self, batch: int) -> ExpectedOutputs:
        rows = np.arange(len(self.probes))
        try:
            with np.errstate(all="ignore"):
                float32 = self.batches.run(self.torch_float32, self.probes.inputs, rows, batch)
                float64 = self.batches.run(self.torch_float64, self.probes.inputs, rows, batch)
        except Exception as error:  # the user's own code
            raise _TorchRefusedError(first_line(error)) from error
        envelope = Envelope(float32)
        samples = float32_samples(self._source, independent=self.row_independent)
        envelope.run(samples, self.batches, self.probes, rows, batch)
        expected = ExpectedOutputs(
            self.probes,
            float32,
            float64,
            envelope,
            self._source.contract,
            given=self.given,
            bounds=self._bounds(batch),
            explained=self.torch_float32.explained,
        )
        if self.given is None:
            self._check_precision(expected)
        if self.torch_float32.order.ties:
            expected.settle_tolerances()
            envelope.run(other_orders(self._source), self.batches, self.probes, rows, batch)
        return expected

    def _bounds(self, batch: int) -> Arrays:
        """Return the proven bounds of all probes by output, rows first; nothing where there are none."""
        if self._certified is None:
            return {}
        contract = self._source.contract
        asked = Batches(certified_contract(contract))
        rows = np.arange(len(self.probes))
        return {contract.bounded: asked.run(self._certified, self.probes.inputs, rows, batch)[ERROR_BOUND]}

    def _check_precision(self, expected: ExpectedOutputs) -> None:
        for name, tolerance in expected.reported_tolerances["ordinary"].items():
            if not expected.follows_logits(name):
                own, exact = expected.float32[name][self.ordinary], expected.float64[name][self.ordinary]
                check_precision(name, own, exact, tolerance)

    def look_closer(self, rows: NDArray[np.int64]) -> bool:
        """Ask the module many times a few ulps beside rows that some backend answers otherwise.

        A neighbour that answers far outside of what is allowed shows a jump of the module: both sides of it belong to
        the envelope of that value. What is allowed otherwise stays as it is. Of far rows every neighbour belongs to it:
        what two large logits of an attention differ by is nobody's, long before it is a jump.

        Returns:
            Whether rows were asked that had not been.
        """
        new = np.setdiff1d(rows, self._looked_at)
        if not self.row_independent or not 0 < len(new) <= _CLOSER * len(self.probes):
            return False
        self._looked_at = np.concatenate([self._looked_at, new])
        expected, probes = self(len(self.probes)), self.probes.take(new)
        near = Envelope({name: array[new] for name, array in expected.float32.items()})
        near.run(neighbours(self._source), self.batches, probes, np.arange(len(new)), len(new))
        for name, allowed in expected.allowed.items():
            exact = expected.float64[name][new].astype(np.float64)
            far = self._far[new].reshape(-1, *[1] * (exact.ndim - 1))
            jumps = near.deviation(name, exact) > np.where(far, 0.0, _JUMP * allowed[new])
            expected.envelope.widen(name, near, new, jumps)
        return True

    def _measure_independence(self) -> bool:
        rows = np.arange(min(len(self.probes), INDEPENDENT_ROWS))
        try:
            with np.errstate(all="ignore"):
                together = self.batches.run(self.torch_float64, self.probes.inputs, rows, len(rows))
                alone = self.batches.run(self.torch_float64, self.probes.inputs, rows, 1)
        except Exception:
            return False
        return all(
            close(values, alone[name], _INDEPENDENT_RTOL * (1 + np.abs(np.nan_to_num(values.astype(np.float64)))))
            for name, values in together.items()
        )


def _mixed(probes: Probes, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows in a seeded random order, an ordinary one before each other, filled ones before random ones."""
    shuffled = random.permutation(len(probes))
    shuffled = shuffled[np.argsort(~np.isin(probes.kinds[shuffled], (SPECIAL, SUBNORMAL, EXTREME)), kind="stable")]
    ordinary = groups(probes)["ordinary"][shuffled]
    others, rest = shuffled[~ordinary], shuffled[ordinary]
    common = min(len(rest), len(others))
    pairs = np.stack([rest[:common], others[:common]], axis=1).reshape(-1)
    return np.concatenate([pairs, rest[common:], others[common:]])
