"""A graph that grows node by node, its shapes known."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from parity_runtime import ModelContract, TensorSpec
from tests.proof.fuzzing.odd_numbers import Random, Shape, weights

OPSET = 20  # the exporter's, and the newest that onnxruntime 1.20 has


class Builder:
    """A graph from ``features`` to ``value``.

    Args:
        random: draws the constants.
        inputs: the shape of a row of ``features``.

    Attributes:
        current: the name of the value that the next block takes.
        shape: of a row of that.
        used: names of the blocks that it is made of.
    """

    def __init__(self, random: Random, inputs: Shape) -> None:
        self.random, self.inputs = random, inputs
        self.current, self.shape = "features", inputs
        self.used: list[str] = []
        self._nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}

    def node(self, op_type: str, *inputs: Any, **attributes: Any) -> str:
        """Append a node and return its result's name; an array or a number among its inputs becomes a constant."""
        return self.nodes(op_type, 1, *inputs, **attributes)[0]

    def nodes(self, op_type: str, results: int, *inputs: Any, **attributes: Any) -> list[str]:
        """Append a node of several results and return their names."""
        names = [taken if isinstance(taken, str) else self.constant(taken) for taken in inputs]
        found = [f"{op_type}{len(self._nodes)}{f'.{index}' * (index > 0)}" for index in range(results)]
        self._nodes.append(helper.make_node(op_type, names, found, name=found[0], **attributes))
        return found

    def constant(self, array: Any) -> str:
        name = f"c{len(self._constants)}"
        array = np.asarray(array)
        self._constants[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
        return name

    def weights(self, *shape: int) -> np.ndarray:
        return weights(self.random, shape)

    def scalar(self) -> np.ndarray:
        return self.weights(*((), (1,))[self.random.integers(2)])

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def go_on(self, value: str, *shape: int) -> None:
        """Let the next block take a value; of the same shape where none is given."""
        self.current, self.shape = value, shape or self.shape

    def finish(self) -> tuple[bytes, ModelContract]:
        """Return the serialized graph, its value flattened, and its contract."""
        outputs = int(np.prod(self.shape))
        last = self.node("Reshape", self.current, np.array([-1, outputs]))
        self._nodes[-1].output[0] = "value"
        self.current = last
        graph = helper.make_graph(
            self._nodes,
            "fuzzed",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", *self.inputs])],
            [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", outputs])],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        contract = ModelContract(
            "fuzzed",
            "regression",
            (TensorSpec("features", "float32", ("batch", *self.inputs)),),
            (TensorSpec("value", "float32", ("batch", outputs)),),
            targets=tuple(f"t{index}" for index in range(outputs)),
        )
        return model.SerializeToString(), contract


Block = Callable[[Builder], None]


def either(b: Builder, first: object, second: object) -> tuple[object, object]:
    """Return two operands in either order."""
    return (first, second) if b.chance(0.5) else (second, first)
