"""Several honest float32 evaluations of the module: what any backend may answer that rounds as float32 rounds."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_export.gate.batching import ModelFunction
from parity_export.gate.gate_plan import GatePlan
from parity_export.gate.monte_carlo_arithmetic import MonteCarloArithmetic
from parity_export.gate.own_kernels import own_kernels
from parity_export.gate.probes import (
    ADVERSARIAL,
    BOUNDARY,
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
    TEXT,
    UNIFORM,
)
from parity_export.gate.torch_reference import TorchReference
from parity_export.sources.input_domain import InputDomain
from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract
from parity_runtime.inference.input_validation import Arrays

SMALL_BATCH = 3
"""Kernels choose another order of summation for a handful of rows than for hundreds."""

_FAR = (LARGE, CALENDAR, SPECIAL, SUBNORMAL, EXTREME)
_DRAWN = (SAMPLE, UNIFORM, GAUSSIAN, SMALL, LARGE, TEXT, CALENDAR, BOUNDARY, ADVERSARIAL, DRAWN)
"""Rows whose numbers are not special: where a comparison with 0 or 1 decides, it must be asked exactly there."""

_FAR_SAMPLES = 2
_SMALL_CALLS = 64
_NEIGHBOURS, _FEW_NEIGHBOURS = 32, 8
_NEIGHBOUR_ULPS = 4.0
_TINY = float(np.finfo(np.float32).tiny)

Context = Callable[[], contextlib.AbstractContextManager[object]]
Change = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Sample:
    """One honest evaluation.

    Attributes:
        name: what is done otherwise.
        answer: outputs by name.
        kinds: of the probes that it is asked; all if None.
        batch: rows at a time; as many as the others if None.
        most: how many rows it is asked at most.
    """

    name: str
    answer: ModelFunction
    kinds: tuple[str, ...] | None = None
    batch: int | None = None
    most: int | None = None

    def accepts(self, kinds: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Return which probes it is asked, by their kinds."""
        return np.ones(len(kinds), bool) if self.kinds is None else np.isin(kinds, self.kinds)


def float32_samples(source: ModelSource, plan: GatePlan, *, independent: bool) -> Iterator[Sample]:
    """Yield honest evaluations of a module beside torch's own, which is asked first, the most telling first.

    Args:
        source: the module and what it means.
        plan: how much is run.
        independent: rows do not influence one another, and may be asked in other batches.
    """
    yield Sample("other kernels and threads", _answer(source, _other_kernels))
    yield Sample("operands moved by an ulp", _answer(source, lambda: MonteCarloArithmetic(SEED)))
    if not plan.far:
        return
    if independent:
        yield Sample(
            "small batches", _answer(source), batch=min(SMALL_BATCH, plan.batch), most=SMALL_BATCH * _SMALL_CALLS
        )
    if any(len(spec.shape) == 4 and spec.dtype == "float32" for spec in source.contract.inputs):
        yield Sample("channels last", _answer(source, prepare=_channels_last))
    yield Sample("inputs moved by an ulp", _answer(source, change=partial(_moved_inputs, source.contract)), _DRAWN)
    yield Sample("subnormal inputs are zero", _answer(source, change=_flushed), (SUBNORMAL,))
    yield Sample("zeros of the other sign", _answer(source, change=_other_zeros), (SPECIAL, SUBNORMAL))
    for index in range(1 if plan.is_small else _FAR_SAMPLES):
        far = _answer(source, _moved_kernels(SEED + 1 + index))
        yield Sample("activations moved by a kernel's error", far, _FAR)


def other_orders(source: ModelSource) -> Iterator[Sample]:
    """Yield evaluations that put equal values in another order than the reference does, which is nobody's error."""
    yield Sample("ties by the highest index", TorchReference(source, highest_first=True))


def neighbours(source: ModelSource, plan: GatePlan) -> Iterator[Sample]:
    """Yield many evaluations a few ulps away, for values that may lie beside a jump of the module.

    Every second one moves the results of activations as well: what is compared with 0.5 may be a sigmoid.
    """
    for index in range(_FEW_NEIGHBOURS if plan.is_small else _NEIGHBOURS):
        seed, kernels = SEED + 100 + index, index % 2 == 1
        context: Context = lambda seed=seed, kernels=kernels: MonteCarloArithmetic(  # type: ignore[misc] # noqa: E731
            seed, _NEIGHBOUR_ULPS, kernels=kernels
        )
        yield Sample("operands moved by four ulps", _answer(source, context))


def _answer(
    source: ModelSource,
    context: Context = contextlib.nullcontext,
    change: Change | None = None,
    prepare: Callable[[Tensor], Tensor] | None = None,
) -> ModelFunction:
    reference = TorchReference(source, prepare=prepare)

    def answer(inputs: Arrays) -> Arrays:
        with context():
            return reference(inputs if change is None else change(inputs))

    return answer


@contextlib.contextmanager
def _other_kernels() -> Iterator[None]:
    """Compute by torch's own kernels, and on one thread where there are several, or on two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    try:
        with own_kernels():
            yield
    finally:
        torch.set_num_threads(threads)


def _moved_kernels(seed: int) -> Context:
    @contextlib.contextmanager
    def context() -> Iterator[None]:
        # oneDNN's LSTM is one operator; without it the gates are activations that can be moved.
        with own_kernels(), MonteCarloArithmetic(seed, kernels=True):
            yield

    return context


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _moved_inputs(contract: ModelContract, inputs: Arrays) -> Arrays:
    """Move floats by an ulp, but not beyond an end of their domain: asin has no answer there, a mask is compared."""
    random = np.random.default_rng(SEED)
    domains = {spec.name: InputDomain.of(spec) for spec in contract.inputs if spec.domain}
    moved = {name: _moved(array, random) for name, array in inputs.items()}
    return {name: np.where(_outside(domains.get(name), array), inputs[name], array) for name, array in moved.items()}


def _outside(domain: InputDomain | None, array: NDArray[np.generic]) -> NDArray[np.bool_]:
    if domain is None or domain.unit_norm or domain.dimensions or array.dtype.kind != "f":
        return np.zeros(array.shape, bool)
    if domain.is_shaped:
        return np.ones(array.shape, bool)
    low, high = domain.ends({})
    values = array.astype(np.float64)
    return ~((values >= low) & (values <= high))


def _moved(array: NDArray[np.generic], random: np.random.Generator) -> NDArray[np.generic]:
    if array.dtype.kind != "f":
        return array
    ends = random.choice(np.array([-np.inf, np.inf]), array.shape).astype(array.dtype)
    return np.asarray(np.nextafter(array, ends))


def _flushed(inputs: Arrays) -> Arrays:
    return {name: _without_subnormals(array) for name, array in inputs.items()}


def _other_zeros(inputs: Arrays) -> Arrays:
    """Flush, and give zeros the other sign: x + 0 loses it, and so may a backend that leaves out such an addition."""
    return {
        name: np.where(array == 0, -array, array) if array.dtype.kind == "f" else array
        for name, array in _flushed(inputs).items()
    }


def _without_subnormals(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype != np.float32:
        return array
    zeros = np.copysign(np.float32(0), array.astype(np.float32))
    return np.where(np.abs(array.astype(np.float32)) < _TINY, zeros, array)
