"""What torch answers to the probes, run in the batches that the gate runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from parity_export.gate.adversarial_search import adversarial_rows, boundary_rows
from parity_export.gate.answered_probes import AnsweredProbes, joined
from parity_export.gate.batching import Batches, LazyModel, ModelFunction, RememberedAnswers
from parity_export.gate.comparison import close
from parity_export.gate.determinism import check_determinism
from parity_export.gate.expected_outputs import ExpectedOutputs
from parity_export.gate.float32_evaluations import float32_samples, neighbours, other_orders
from parity_export.gate.gate_plan import GatePlan
from parity_export.gate.integer_ranges import integer_ranges
from parity_export.gate.output_check import check_output_spec
from parity_export.gate.probe_sampling import ProbeSampler
from parity_export.gate.probes import (
    CALENDAR,
    DRAWN,
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
)
from parity_export.gate.rounding_envelope import Envelope
from parity_export.gate.tolerances import FAR, check_precision, groups
from parity_export.gate.torch_reference import TorchReference
from parity_export.memory import LARGE as LARGE_MODULE
from parity_export.memory import give_back
from parity_export.sources.model_source import ModelSource
from parity_export.sources.probe_options import drawn_rows
from parity_runtime import InputError
from parity_runtime.arguments import argument
from parity_runtime.contract import ERROR_BOUND, certified_contract
from parity_runtime.errors import first_line
from parity_runtime.inference.input_validation import Arrays
from parity_runtime.printable import counted

_INDEPENDENT_RTOL = 1e-9
"""Rows are independent if float64 answers to some rows, together and alone, agree to that: float64's own rounding
(1.1e-16 an operation) stays far below, and a row that looks at its neighbours far above."""

_JUMP = 4.0  # tolerances: rounding moves no value so far, because a tolerance is eight times what it does
_CLOSER = 0.25  # of the rows: a backend that answers more of them otherwise has no jumps, but another function


class _TorchRefusedError(Exception):
    """The module itself does not answer the probes in batches of some size."""


@dataclass(frozen=True)
class GateSetting:
    """What a gate is run with at all sizes of the dynamic dimensions.

    Attributes:
        default_backend: onnxruntime's answers, for the adversarial search.
        torch_float64: torch's answers, computed in float64: the copy of the module is made once.
        given: rtol and atol that a person set.
        certified: the answers of the certified graph, where torch's float64 answers are the exact ones of it.
        compared: numbers that the module or its graph compares with.
        mixes: whether rows influenced one another at other sizes: then they do, whatever a few rows of these show.
    """

    default_backend: LazyModel
    torch_float64: RememberedAnswers
    given: tuple[float, float] | None = None
    certified: LazyModel | None = None
    compared: Sequence[float] = ()
    mixes: bool = False

    def release(self) -> None:
        """Let the float64 copy and the default backend go until they are run again."""
        self.torch_float64.release()
        self.default_backend.release()

    def make_room(self, source: ModelSource) -> None:
        """Let them go if the module is large: what follows runs it in float32, and holds copies of some weights."""
        if sum(tensor.nbytes for tensor in source.module.state_dict().values()) > LARGE_MODULE:
            self.release()
            give_back(collect=False)


class Oracle:
    """The probes of a source and torch's answers to them.

    Where rows of a batch influence one another (a module that subtracts the batch's mean), torch is asked in the
    same batches as onnxruntime; else once.

    Args:
        source: the module and what it means, its outputs known.
        dimensions: the size of every dynamic dimension but the batch.
        plan: how much is run at these sizes.
        setting: what the gate is run with at all sizes.

    Attributes:
        plan: how much is run.
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
        self, source: ModelSource, dimensions: Mapping[str, int], plan: GatePlan, setting: GateSetting
    ) -> None:
        self._source, self.plan, self._setting = source, plan, setting
        self.given, self.torch_float64 = setting.given, setting.torch_float64
        self.dimensions = dict(dimensions)
        self.batches = Batches(source.contract, source.compared_where)
        self.torch_float32 = TorchReference(source)
        ranges = integer_ranges(source.contract, dimensions, self._accepts)
        draws = None if source.draw is None else partial(drawn_rows, source.draw, source.contract, self.dimensions)
        self.sampler = ProbeSampler(
            source.contract, dimensions, ranges, setting.compared, plan, draws, source.samples_only
        )
        self.refused: list[str] = []
        self._declined: set[int] = set()
        answered = self._answered_probes()
        self.probes: Probes = answered.probes
        may_be = self.batches.name is not None and not setting.mixes
        self.row_independent: bool = may_be and self._measure_independence()
        self._answered: AnsweredProbes | None = answered if self.row_independent else None
        if not self.row_independent:  # one overflowing row would spoil every other row of its batch
            self.probes = self.probes.without(LARGE, CALENDAR, SPECIAL, SUBNORMAL, EXTREME)
        self._known: dict[int, ExpectedOutputs] = {}
        self._looked_at = np.zeros(0, np.int64)

    def __call__(self, batch: int) -> ExpectedOutputs:
        """Return the expected answers when run in batches of ``batch``."""
        size = self._whole if self.row_independent else min(batch, self._whole)
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
    def _whole(self) -> int:
        """How many probes torch is given in one call."""
        return min(len(self.probes), self.plan.batch)

    def prepare(self) -> None:
        """Ask torch all that will be needed at the plan's batch sizes.

        A size that torch refuses is noted, and no backend is asked at it.

        Raises:
            InputError: torch refuses all rows as one batch.
        """
        for batch in dict.fromkeys((self._whole, *self.plan.batch_sizes)):
            try:
                self(batch)
            except _TorchRefusedError as error:
                if batch == self._whole:
                    raise InputError(
                        f"the module itself fails on a batch of {counted(batch, 'row')}: {error}; fix its size with "
                        + argument("inputs", option="--input")
                    ) from error
                self.refused.append(f"{self._source.answerer} in batches of {batch}: {error}")
                self._declined.add(batch)

    def accepts(self, batch: int) -> bool:
        """Whether torch answers the probes in batches of a size."""
        return batch not in self._declined

    def release(self) -> None:
        """Let the float64 copy and the default backend go until they are run again."""
        self._setting.release()

    def reference(self, inputs: Arrays) -> Arrays:
        """Return torch's float64 answers to rows, rows first."""
        return self._together(self.torch_float64, inputs)

    def float32(self, inputs: Arrays) -> Arrays:
        """Return torch's float32 answers to rows, rows first."""
        return self._together(self.torch_float32, inputs)

    def onnxruntime(self, inputs: Arrays) -> Arrays:
        """Return onnxruntime's answers to rows, rows first."""
        return self._together(self._setting.default_backend, inputs)

    def error_bounds(self, call: Arrays) -> Arrays:
        """Return what the certified graph answers to one call; nothing where there is none."""
        return {} if self._setting.certified is None else self._setting.certified(call)

    def _together(self, answer: ModelFunction, inputs: Arrays) -> Arrays:
        """Run rows as one batch, or in the largest batches that the plan allows."""
        rows = np.arange(len(next(iter(inputs.values()))))
        with np.errstate(all="ignore"):
            return self.batches.run(answer, inputs, rows, min(len(rows), self.plan.batch))

    def _answered_probes(self) -> AnsweredProbes:
        """Return every kind of probe, mixed: the first rows, which every batch size is asked, hold some of each."""
        random = np.random.default_rng(SEED)
        parts = self._without_refused(self.sampler.rows(random, self._source.sample))
        ordinary = joined(parts).probes.without(SMALL, LARGE, CALENDAR, SPECIAL, SUBNORMAL, EXTREME)
        few = ordinary.take(np.arange(min(len(ordinary), self.plan.checked_rows)))
        check_determinism(self._source.module, self.float32, few.inputs)
        check_output_spec(self._source, ordinary)
        parts += self._without_refused(self._searched(ordinary, random))
        self._setting.default_backend.release()
        found = joined(parts)
        return found.take(_mixed(found.probes, random))

    def _searched(self, ordinary: Probes, random: np.random.Generator) -> Iterator[Probes]:
        """Yield the rows that searches find, where they can be afforded."""
        if not self.sampler.is_searched:
            return
        inside = self.sampler.inside
        decision = self._source.contract.decision
        if decision is not None and self.plan.boundary_rows:
            yield from boundary_rows(ordinary, self.reference, random, decision, self.plan.boundary_rows, inside)
        if self.plan.searched_rows:
            near = ordinary.without(GAUSSIAN)
            yield from adversarial_rows(near, self.reference, self.onnxruntime, random, self.plan.searched_rows, inside)

    def _without_refused(self, parts: Iterator[Probes] | list[Probes]) -> list[AnsweredProbes]:
        """Return the parts that torch answers, with its answers; what it refuses is noted with its own sentence.

        Raises:
            InputError: it refuses rows of the range that the model is used in.
        """
        answered = []
        for part in parts:
            try:
                answers = self.float32(part.inputs), self.reference(part.inputs)
            except Exception as error:  # the user's own code
                self._note_refusal(str(part.kinds[0]), error)
            else:
                answered.append(AnsweredProbes(part, *answers))
        return answered

    def _note_refusal(self, kind: str, error: Exception) -> None:
        if kind == DRAWN:
            raise InputError(
                f"the module itself fails on rows that {argument('draw')} gives: {first_line(error)}; draw others"
            ) from error
        if kind in (SAMPLE, UNIFORM):
            raise InputError(
                f"the module itself fails on {kind} rows: {first_line(error)}; give rows that it takes with "
                f"{argument('sample', option='--samples')}, and say what its inputs are with "
                f"{argument('inputs', option='--input')}"
            ) from error
        self.refused.append(f"{self._source.answerer} on {kind} probes: {first_line(error)}")

    def _accepts(self, inputs: Arrays) -> bool:
        try:
            self.float32(inputs)
        except (IndexError, RuntimeError):
            return False
        return True

    def _run(self, batch: int) -> ExpectedOutputs:
        answered = self._answered or self._answers(batch)
        self._setting.make_room(self._source)
        envelope = Envelope(answered.float32)
        samples = float32_samples(self._source, self.plan, independent=self.row_independent)
        envelope.run(samples, self.batches, self.probes, np.arange(len(self.probes)), batch)
        expected = ExpectedOutputs(
            self.probes,
            answered.float32,
            answered.float64,
            envelope,
            self._source.contract,
            given=self.given,
            bounds=self._bounds(batch),
            explained=self.torch_float32.explained,
            kept=self.batches.kept(self.probes.inputs, answered.float64),
        )
        if self.given is None:
            self._check_precision(expected)
        if self.torch_float32.order.ties:
            expected.settle_tolerances()
            envelope.run(other_orders(self._source), self.batches, self.probes, np.arange(len(self.probes)), batch)
        return expected

    def _answers(self, batch: int) -> AnsweredProbes:
        rows = np.arange(len(self.probes))
        try:
            with np.errstate(all="ignore"):
                float32 = self.batches.run(self.torch_float32, self.probes.inputs, rows, batch)
                float64 = self.batches.run(self.torch_float64, self.probes.inputs, rows, batch)
        except Exception as error:  # the user's own code
            raise _TorchRefusedError(first_line(error)) from error
        return AnsweredProbes(self.probes, float32, float64)

    def _bounds(self, batch: int) -> Arrays:
        """Return the proven bounds of all probes by output, rows first; nothing where there are none."""
        if self._setting.certified is None:
            return {}
        contract = self._source.contract
        asked = Batches(certified_contract(contract))
        rows = np.arange(len(self.probes))
        return {contract.bounded: asked.run(self._setting.certified, self.probes.inputs, rows, batch)[ERROR_BOUND]}

    def _check_precision(self, expected: ExpectedOutputs) -> None:
        for name, tolerance in expected.reported_tolerances["ordinary"].items():
            if not expected.follows_logits(name):
                own, adopted = expected.deviations(name, self.ordinary, own=True), self._source.adopted is not None
                check_precision(name, own, tolerance, adopted=adopted)

    def look_closer(self, rows: NDArray[np.int64]) -> bool:
        """Ask the module many times a few ulps beside rows that some backend answers otherwise.

        A neighbour that answers far outside of what is allowed shows a jump of the module: both sides of it belong to
        the envelope of that value. What is allowed otherwise stays as it is. Of far rows every neighbour belongs to it:
        what two large logits of an attention differ by is nobody's, long before it is a jump.

        Returns:
            Whether rows were asked that had not been.
        """
        new = np.setdiff1d(rows, self._looked_at)
        if not self.row_independent or not 0 < len(new) <= max(1, _CLOSER * len(self.probes)):
            return False
        self._looked_at = np.concatenate([self._looked_at, new])
        expected, probes = self(len(self.probes)), self.probes.take(new)
        near = Envelope({name: array[new] for name, array in expected.float32.items()})
        batch = min(len(new), self.plan.batch)
        near.run(neighbours(self._source, self.plan), self.batches, probes, np.arange(len(new)), batch)
        for name, allowed in expected.allowed.items():
            exact = expected.float64[name][new].astype(np.float64)
            far = self._far[new].reshape(-1, *[1] * (exact.ndim - 1))
            jumps = near.deviation(name, exact) > np.where(far, 0.0, _JUMP * allowed[new])
            expected.envelope.widen(name, near, new, jumps)
        return True

    def _measure_independence(self) -> bool:
        rows = np.arange(min(len(self.probes), self.plan.checked_rows))
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
