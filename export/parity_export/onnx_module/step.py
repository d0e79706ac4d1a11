"""One node of a graph, computed by the first that can: torch, onnxruntime's kernel, ONNX's reference evaluator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import onnx
import torch
from onnx import AttributeProto, helper
from torch import Tensor

from parity_export.onnx_module.control_flow import ControlFlow
from parity_export.onnx_module.float64_types import in_float64
from parity_export.onnx_module.kernels import Computed, NodeAlone
from parity_export.onnx_module.node_search import captured
from parity_export.onnx_module.old_forms import OLD, is_old_form
from parity_export.onnx_module.operators.operator import Node, NotThisOperatorError, UndefinedError
from parity_export.onnx_module.operators.table import MOVING, OPERATORS, full_name
from parity_export.onnx_module.values import Value, constant, is_text, kind_of, narrowed, widened
from parity_runtime import InputError
from parity_runtime.errors import first_line
from parity_runtime.printable import shown

TORCH, KERNEL, REFERENCE, FLOAT32_KERNEL = "torch", "onnxruntime", "reference", "onnxruntime in float32"
"""Who computes a node."""


@dataclass(frozen=True)
class Versions:
    """What a node needs to know of its model.

    Attributes:
        model: without a graph: the versions of the file and of its operators.
        only_float64: whether no float32 kernel stands in for an operator in float64.
    """

    model: onnx.ModelProto
    only_float64: bool = False

    @classmethod
    def of(cls, model: onnx.ModelProto, *, only_float64: bool = False) -> "Versions":
        """Return those of a model."""
        bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
        return cls(bare, only_float64)

    def __getitem__(self, domain: str) -> int:
        """Return the version of a domain's operators."""
        names = ("", "ai.onnx") if domain in ("", "ai.onnx") else (domain,)
        return next((entry.version for entry in self.model.opset_import if entry.domain in names), 1)


class Step:
    """One node.

    Args:
        node: as the file has it.
        versions: of the operators.
        bodies: its own graphs, by attribute.

    Attributes:
        node: as the file has it.
        bodies: its own graphs, by attribute.
        inputs: the names of the values that it takes, also those that only its subgraphs take.
        outputs: the names of its results.
        moves: whether it moves values alone, and takes constants as they are.

    Raises:
        InputError: in its opset the operator means something that nobody computes here.
    """

    def __init__(self, node: onnx.NodeProto, versions: Versions, bodies: Mapping[str, Any] | None = None) -> None:
        self.node, self._versions = node, versions
        self.bodies = dict(bodies or {})
        self.inputs = [*node.input, *dict.fromkeys(captured(node))]
        self.outputs = list(node.output)
        self.moves = full_name(node.domain, node.op_type) in MOVING
        self._by: dict[tuple[Any, ...], set[str]] = {}
        self._attributes = {one.name: _attribute(one) for one in node.attribute}
        self._known: dict[tuple[Any, ...], tuple[str, Computed]] = {}
        if self._is_standard and is_old_form(node, versions[""]):
            raise InputError(
                f"operator {self.operator} at node {shown(self.name)} is in a form of opset {versions['']} that is not "
                "computed here; export the model again with opset 13 or later of its exporter"
            )

    @property
    def name(self) -> str:
        """What the node is called in messages."""
        return self.node.name or next((name for name in self.outputs if name), "")

    @property
    def operator(self) -> str:
        """Its operator, with the domain where that is not ONNX's own."""
        return full_name(self.node.domain, self.node.op_type)

    @property
    def by(self) -> dict[bool, set[str]]:
        """Who computed it until now, by whether that was in float64."""
        return {
            double: {one for key, by in self._by.items() if key[0] == double for one in by} for double in (False, True)
        }

    @property
    def judges_itself(self) -> bool:
        """Whether onnxruntime's kernel for the file's own dtypes is all that computed it in float64.

        That is so of float32 kernels, and of those in float64 where the file itself has float64.
        """
        kernels = {key[1:] for key, by in self._by.items() if key[0] and KERNEL in by}
        same = any(key[1:] in kernels for key in self._by if not key[0])
        return FLOAT32_KERNEL in self.by[True] or (same and any("float" in kind for kinds in kernels for kind in kinds))

    def __call__(self, values: list[Value], *, double: bool) -> Sequence[Value]:
        """Return the node's results.

        Args:
            values: one for each of its inputs.
            double: compute in float64.

        Raises:
            InputError: nothing can compute it.
        """
        key = (double, *map(kind_of, values))
        if key in self._known:
            results = self._as_before(key, values)
            if results is not None:
                return results
        torchs, last = None, None
        for by, make in self._makers(double=double):
            try:
                computed = make(values)
                results = computed(values)
            except NotThisOperatorError:
                continue
            except UndefinedError:
                raise
            except Exception as error:  # torch's, onnxruntime's and the reference evaluator's own
                torchs, last = error if by == TORCH else torchs, error
                continue
            if double and any(isinstance(one, Tensor) and one.dtype == torch.float32 for one in results):
                last = InputError("it computes in float32")
                continue
            self._known[key] = (by, computed)
            self._by.setdefault(key, set()).add(by)
            return results
        if isinstance(torchs, IndexError | RuntimeError):  # of what it was given
            raise torchs
        precision = "float64" if double else "float32"
        reason = "nothing computes it" if last is None else first_line(last)
        raise InputError(f"operator {self.operator} at node {self.name} cannot be evaluated in {precision}: {reason}")

    def _as_before(self, key: tuple[Any, ...], values: list[Value]) -> Sequence[Value] | None:
        """Return what the one computes that did so for values of such dtypes and ranks; None where it does not."""
        by, computed = self._known[key]
        try:
            return computed(values)
        except NotThisOperatorError:  # of other values: of axes that stand in an input, there are none
            return None
        except Exception as error:
            if by == TORCH and isinstance(error, IndexError | RuntimeError):  # of what it was given
                raise
            return None

    @property
    def _is_standard(self) -> bool:
        return self.node.domain in ("", "ai.onnx")

    def _makers(self, *, double: bool) -> list[tuple[str, Callable[[list[Value]], Computed]]]:
        node = in_float64(self.node) if double else self.node
        alone = NodeAlone(node, self._versions.model, self.inputs)
        makers: list[tuple[str, Callable[[list[Value]], Computed]]] = [
            (TORCH, lambda _: self._with_bodies(double=double)),
            (TORCH, lambda _: self._torch(double=double)),
            (KERNEL, alone.onnxruntime),
        ]
        if not (self._is_standard and self._versions[""] < OLD):
            makers.append((REFERENCE, alone.reference))
        return [*makers, (FLOAT32_KERNEL, self._narrow)] if double and not self._versions.only_float64 else makers

    def _with_bodies(self, *, double: bool) -> Computed:
        if not self.bodies:
            raise NotThisOperatorError
        run = {name: partial(body, double=double) for name, body in self.bodies.items()}
        return ControlFlow(self.node, self._versions[""], run, self.inputs[len(self.node.input) :])

    def _torch(self, *, double: bool) -> Computed:
        compute = OPERATORS.get(self.operator)
        if compute is None:
            raise NotThisOperatorError
        attributes = {name: widened(value) for name, value in self._attributes.items()} if double else self._attributes
        node = Node(attributes, self._versions[self.node.domain], tuple(map(bool, self.outputs)), double)

        def computed(values: Sequence[Value]) -> Sequence[Value]:
            if any(map(is_text, values)):
                raise NotThisOperatorError
            count = max((index + 1 for index, value in enumerate(values) if value is not None), default=0)
            results = compute(list(values[:count]), node)
            results = list(results) if isinstance(results, tuple) else [results]
            results += [None] * (len(self.outputs) - len(results))
            return [widened(one) for one in results] if double and self.moves else results

        return computed

    def _narrow(self, values: list[Value]) -> Computed:
        """Return onnxruntime's float32 kernel, given what float64 computed, rounded to float32."""
        alone = NodeAlone(self.node, self._versions.model, self.inputs)
        compute = alone.onnxruntime([narrowed(value) for value in values])
        return lambda given: [widened(one) for one in compute([narrowed(value) for value in given])]


def _attribute(attribute: AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    return constant(value) if attribute.type == AttributeProto.TENSOR else value
