"""`ErrorEstimate`: what answers are probably off by, from what each operator rounds and what that is worth."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parity_export.error_bounds.rounding_model import U
from parity_export.error_estimate.roundings import Rounded, refusal, roundings
from parity_export.onnx_graph import OnnxGraph
from parity_export.onnx_module.graph_module import GraphModule
from parity_export.onnx_module.step import Step
from parity_export.onnx_module.values import Value, tensor_of
from parity_runtime import InputError, ModelContract
from parity_runtime.inference.input_validation import Arrays, table_inputs
from parity_runtime.package.loader import load_model
from parity_runtime.tasks import CERTIFIABLE

LAMBDA = 8.0
"""How many of the model's units an error is taken to stay within: one sum in 10^13 or fewer would not."""

MOST_ANSWERS = 16
"""Of more answers than these the largest are asked; a backward pass each."""

_NUMBERS = 2**24
"""Of values of a chunk of rows, in all: what a backward pass keeps."""

_ROWS = 256
_SHAPES = frozenset({"Shape", "Size"})


@dataclass(frozen=True)
class Estimated:
    """Of some rows.

    Attributes:
        answers: the exact logits or values, but for float64's rounding, float64 ``[batch, answers]``.
        error_estimate: how far float32's are probably from them, float64 ``[batch, answers]``; NaN of those that are
            not among the 16 largest.
        beyond: whether the label leads every other class by more than its difference is probably off by, bool
            ``[batch]``; None for a regression.
    """

    answers: NDArray[np.float64]
    error_estimate: NDArray[np.float64]
    beyond: NDArray[np.bool_] | None


class ErrorEstimate:
    """How far a graph's answers in float32 probably are from the exact ones. **No proof**: see `proof.md`.

    Each operator's roundings are taken as independent and of mean zero: n of them make no more than lambda sqrt(n) u S
    of a sum S of magnitudes, lambda = 8 (Higham and Mary, *A new approach to probabilistic rounding error analysis*,
    SIAM J. Sci. Comput. 41, 2019; Connolly, Higham and Mary, *Stochastic rounding and its probabilistic backward error
    analysis*, 2021). To first order an answer is off by what each errs by, times a, by which the answer changes with it
    (torch's autograd in float64), and never by more than the worst of that order:

        error_estimate = min(lambda u sqrt(sum of a^2 n S^2), u sum of |a| n S) + sum of |a| (alpha |f| + beta)

    >>> from parity_export.error_estimate.estimate import ErrorEstimate
    >>> found = ErrorEstimate.open("tests/data/xor").of_rows([[0.1, 0.9], [0.5, 0.5]])
    >>> found.error_estimate.shape, found.beyond
    ((2, 1), array([ True,  True]))

    Args:
        contract: of the graph.
        graph: without error bounds.

    Raises:
        InputError: the model has another task than these. When asked: nothing is known of what an operator
            rounds, or the answers depend on a decision by a computed number.
    """

    def __init__(self, contract: ModelContract, graph: OnnxGraph) -> None:
        if contract.task not in CERTIFIABLE:
            raise InputError(
                f"cannot estimate: {contract.name} has the task {contract.task}; errors are estimated for "
                f"{', '.join(CERTIFIABLE)}"
            )
        self.contract = contract
        self._module = GraphModule(graph.light, [contract.bounded], graph.weights, only_float64=True).double()
        self._rows, self._most = 1, _ROWS

    def __repr__(self) -> str:
        return f"ErrorEstimate({self.contract.name!r}, {self.contract.brief})"

    @classmethod
    def open(cls, path: str | Path, allow_operators: Collection[str] = ()) -> "ErrorEstimate":
        """Take a package folder.

        Args:
            path: the folder.
            allow_operators: operators outside the standard that may run, ``com.microsoft::Gelu`` say.

        Raises:
            ParityError: the package cannot be opened.
        """
        model = load_model(path, allow_operators=allow_operators)
        return cls(model.contract, OnnxGraph.loaded(model))

    def of_rows(self, rows: Any) -> Estimated:
        """Return what is estimated of ``rows [batch, features]``."""
        return self.of_inputs(table_inputs(self.contract, np.asarray(rows)))

    def of_inputs(self, inputs: Arrays) -> Estimated:
        """Return what is estimated of inputs by name."""
        count = len(next(iter(inputs.values())))
        found, start = list[Estimated](), 0
        while start < count:
            rows = min(self._rows, count - start)
            one = self._chunk({name: array[start : start + rows] for name, array in inputs.items()}, rows)
            if one is None:  # a value that has no rows of its own, or elsewhere: what it is worth to each is not apart
                self._rows, self._most = 1, 1
                continue
            found.append(one)
            start += rows
        beyond = [one.beyond for one in found if one.beyond is not None]
        return Estimated(
            np.concatenate([one.answers for one in found]),
            np.concatenate([one.error_estimate for one in found]),
            np.concatenate(beyond) if beyond else None,
        )

    def _chunk(self, inputs: Arrays, rows: int) -> Estimated | None:
        """Return what is estimated of some rows; None if they have to be asked one by one."""
        tape = _Tape(rows)
        tensors = [tensor_of(inputs[name]) if name in inputs else None for name in self._module.inputs]
        (answers,) = self._module.observed(tensors, tape.after)
        answers = answers.reshape(len(answers), -1)
        if rows > 1 and not tape.apart:
            return None
        if tape.apart and rows == 1:  # from now on as many rows at once as fit
            self._rows = max(1, min(self._most, _NUMBERS // max(1, tape.numbers)))
        kept = answers.detach()
        count = min(MOST_ANSWERS, kept.shape[1])
        order = torch.argsort(kept, dim=1, descending=True, stable=True)[:, :count]
        estimates = torch.full_like(kept, torch.nan)
        for place in range(count):
            chosen = answers.gather(1, order[:, place : place + 1])
            estimates.scatter_(1, order[:, place : place + 1], tape.estimate(chosen)[:, None])
        beyond = self._beyond(answers, order, estimates, tape) if self.contract.is_classifier else None
        return Estimated(kept.numpy(), estimates.numpy(), beyond)

    def _beyond(self, answers: Tensor, order: Tensor, estimates: Tensor, tape: "_Tape") -> NDArray[np.bool_]:
        """Return where the label leads by more than the estimate of the difference, correlated as it is."""
        threshold = self.contract.logit_threshold
        if threshold is not None:
            lead = (answers.detach()[:, 0] - float(np.float32(threshold))).abs()
            return np.asarray(lead > estimates[:, 0])
        first, found = answers.gather(1, order[:, :1]), torch.ones(len(answers), dtype=torch.bool)
        for place in range(1, order.shape[1]):
            lead = first - answers.gather(1, order[:, place : place + 1])
            found &= lead.detach()[:, 0] > tape.estimate(lead)
        return np.asarray(found)


class _Tape:
    """What every operator of one evaluation rounds, and zeros that are added to each result, to ask what it is worth.

    Attributes:
        apart: whether every result has as many places along its first axis as there are rows. Where that is so of one
            row and of several, they are the rows.
        numbers: of all results.
    """

    def __init__(self, rows: int) -> None:
        self._rows, self._marks = rows, list[tuple[Tensor, Rounded]]()
        self.apart, self.numbers = True, 0

    def after(self, step: Step, given: Sequence[Value], results: Sequence[Value]) -> Sequence[Value]:
        """Take what a node computed, and return it marked."""
        moving = any(isinstance(one, Tensor) and one.requires_grad for one in given)
        if step.bodies:
            raise refusal(step, "it has a subgraph")
        return [self._marked(step, given, one, moving=moving) for one in results]

    def _marked(self, step: Step, given: Sequence[Value], result: Value, *, moving: bool) -> Value:
        if not isinstance(result, Tensor) or not result.is_floating_point():
            if moving and isinstance(result, Tensor) and step.operator not in _SHAPES:
                raise refusal(step, "it decides by a computed number")
            return result
        if moving and not result.requires_grad:
            raise refusal(step, "nothing says what its result is worth")
        with torch.no_grad():
            rounded = roundings(step, [one.detach() if isinstance(one, Tensor) else one for one in given], result)
        if rounded == Rounded():
            return result
        mark = torch.zeros_like(result, requires_grad=True)
        self._marks.append((mark, rounded))
        self.numbers += result.numel()
        self.apart &= result.ndim > 0 and len(result) == self._rows
        return result + mark

    def estimate(self, chosen: Tensor) -> Tensor:
        """Return the error estimate of ``chosen [rows, 1]``, ``[rows]``."""
        marks = [mark for mark, _ in self._marks]
        worth = torch.autograd.grad(chosen.sum(), marks, retain_graph=True, allow_unused=True)
        squares, worst, full = (torch.zeros(self._rows, dtype=torch.float64) for _ in range(3))
        for adjoint, (_, rounded) in zip(worth, self._marks, strict=True):
            if adjoint is None:
                continue
            if rounded.random is not None:
                each = (adjoint * rounded.random).reshape(self._rows, -1)
                squares += (each**2).sum(1)
                worst += math.sqrt(rounded.count) * each.abs().sum(1)
            if rounded.full is not None:
                full += (adjoint.abs() * rounded.full).reshape(self._rows, -1).sum(1)
        return U * torch.minimum(LAMBDA * squares.sqrt(), worst) + full
