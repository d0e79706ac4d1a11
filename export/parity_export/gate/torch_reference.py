"""What the torch module itself answers, in float32 and in float64."""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from parity_export.gate.final_activation import watch
from parity_export.gate.tie_order import TieOrder
from parity_export.sources.argument_binding import flatten
from parity_export.sources.model_source import ModelSource
from parity_runtime import ModelContract
from parity_runtime.contract import EMBEDDING, LABEL, LABELS, LOGITS, PROBABILITIES, TAGS, TOKENS, VALUE
from parity_runtime.inference.input_validation import Arrays

_CUT = 2.0**-16
"""parity.md: a probability that no activation explains is cut to [2^-16, 1 - 2^-16] to make a logit of it. Written
here once more, because a referee that takes the number from the graph's head finds it right whatever it is."""


class TorchReference:
    """Evaluates a source's module and gives the outputs of its contract; shares nothing with the graph's head.

    Args:
        source: the module and what it means.
        double: evaluate in float64 (a copy of the module is made); the answers are float64 then.
        prepare: changes each input tensor before it is given to the module, such as its memory format.
        highest_first: of equal values that the module sorts the highest index comes first; else the lowest, as ONNX's.

    Attributes:
        explained: whether the probabilities of the last answer were made of the logits; else they were the module's.
        order: what was met where the module sorts.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        double: bool = False,
        prepare: Callable[[Tensor], Tensor] | None = None,
        highest_first: bool = False,
    ) -> None:
        module = source.module
        if double:
            module = _double_copy(module)
        self._call = source.calling(module.eval())
        self._arrays = source.arrays
        self._double, self._prepare = double, prepare
        self._contract = source.contract
        self._module_output = source.module_output
        self._source = source
        self.explained = True
        self.order = TieOrder(lowest=not highest_first)
        self._has_run = False

    def __call__(self, inputs: Arrays) -> Arrays:
        """Return every output by name for one batch of inputs by name."""
        tensors = [self._tensor(array) for array in self._arrays(inputs)]
        # What is not asked for is not watched: that takes twenty microseconds of every operator.
        final_activation = watch(self._source)
        with torch.no_grad(), contextlib.ExitStack() as contexts:
            if self._double:
                contexts.enter_context(_in_double())
            if final_activation is not None:
                contexts.enter_context(final_activation)
            if self.order.orders or not self._has_run:  # the first run tells whether the module sorts
                contexts.enter_context(self.order)
            returned = self._call(*tensors)
        self._has_run = True
        if self._contract.task == "tensors":
            return _named(self._contract, returned)
        before = returned if self._module_output == "logits" else None
        if final_activation is not None:
            before = final_activation.logits_of(returned)
        returned = returned.detach()
        columns = returned[:, None] if returned.ndim == 1 else returned  # [batch, ..., columns]
        if self._contract.task in ("regression", "embedding"):
            return {VALUE if self._contract.task == "regression" else EMBEDDING: columns.numpy()}
        self.explained = before is not None
        if before is None:
            return self._outputs(self._log_odds(columns), columns)
        logits = before.reshape(columns.shape)
        if self._contract.task == "language_model":
            return {TOKENS: logits.argmax(dim=-1).numpy(), LOGITS: logits.numpy()}
        return self._outputs(logits, self._probabilities(logits))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array)
        tensor = tensor.double() if self._double and tensor.is_floating_point() else tensor
        return tensor if self._prepare is None else self._prepare(tensor)

    def _outputs(self, logits: Tensor, probabilities: Tensor) -> Arrays:
        z = logits.numpy()
        if self._chooses:
            name = LABEL if self._contract.task == "multiclass" else TAGS
            return {name: z.argmax(axis=-1), PROBABILITIES: probabilities.numpy(), LOGITS: z}
        reaches = z >= self._thresholds()
        if self._contract.task == "multilabel":
            return {LABELS: reaches, PROBABILITIES: probabilities.numpy(), LOGITS: z}
        if probabilities.shape[1] == 1:
            probabilities = torch.cat([1 - probabilities, probabilities], dim=1)
        return {LABEL: reaches[:, 0].astype(np.int64), PROBABILITIES: probabilities.numpy(), LOGITS: z}

    @property
    def _chooses(self) -> bool:
        """Whether one of several classes is chosen; else each logit is compared with a threshold."""
        return self._contract.task in ("multiclass", "tagging")

    def _thresholds(self) -> NDArray[np.float64]:
        """Return the logit of each of the contract's thresholds, from its definition: the graph has its own."""
        probability = 0.5 if self._contract.threshold is None else self._contract.threshold
        probabilities = self._contract.thresholds or (probability,)
        return np.array([math.log(one) - math.log1p(-one) for one in probabilities])

    def _probabilities(self, logits: Tensor) -> Tensor:
        if self._chooses:
            return torch.softmax(logits, dim=-1)
        both = self._contract.task == "binary"
        return torch.sigmoid(torch.cat([-logits, logits], dim=1) if both else logits)

    def _log_odds(self, probabilities: Tensor) -> Tensor:
        kept = probabilities.clamp(_CUT, 1 - _CUT)
        return kept.log() if self._chooses else kept.log() - torch.log1p(-kept)


def _double_copy(module: nn.Module) -> nn.Module:
    """Return a copy in float64; its weights are made of the module's, not of another copy in float32."""
    made: dict[int, Any] = {}
    for tensor in (*module.parameters(), *module.buffers()):
        if type(tensor) in (torch.Tensor, nn.Parameter) and tensor.is_floating_point():
            double = tensor.detach().double()
            is_parameter = isinstance(tensor, nn.Parameter)
            made[id(tensor)] = nn.Parameter(double, tensor.requires_grad) if is_parameter else double
    return copy.deepcopy(module, made).double()


class _Promoting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Makes float64 of every tensor that the module's code asks to be float32 or less."""

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("dtype") in (torch.float32, torch.float16, torch.bfloat16):
            kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)


@contextlib.contextmanager
def _in_double() -> Iterator[None]:
    """Compute in float64 also where the module's code makes or casts tensors itself (``x.float()``)."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Promoting():  # type: ignore[no-untyped-call]
            yield
    finally:
        torch.set_default_dtype(before)


def _named(contract: ModelContract, returned: Any) -> Arrays:
    tensors = flatten(returned)
    return {spec.name: tensor.detach().numpy() for spec, tensor in zip(contract.outputs, tensors, strict=True)}
