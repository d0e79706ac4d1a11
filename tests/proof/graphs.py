"""Small graphs that are built by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from parity_export.error_bounds import propagate_error_bounds
from parity_export.error_bounds.operator_rule import Node, WorstCase
from parity_export.export_options import Bounds
from parity_export.onnx_graph import OnnxGraph
from parity_runtime import ModelContract, TensorSpec

TWO = ("TopK", "Split")
"""Operators whose second result is named as the first, with ``.second`` behind it."""


def certified_graph(graph: bytes, contract: ModelContract, bounds: Bounds = "fast") -> bytes:
    """Return a serialized graph with its error bounds."""
    return propagate_error_bounds(OnnxGraph(graph), contract, bounds).data


def worst_case_graph(case: WorstCase) -> tuple[bytes, ModelContract]:
    """Return the graph of a worst case, and its contract."""
    return value_graph(case.nodes, case.constants, case.rows.shape[1:], case.outputs)


def value_graph(
    nodes: Sequence[Node], constants: Mapping[str, Any], inputs: Sequence[int], outputs: int
) -> tuple[bytes, ModelContract]:
    """Return a graph from ``features`` float32 ``[batch, *inputs]`` to ``value``, and its contract.

    Each node gives a value that is named by its operator and its index, the last gives ``value [batch, outputs]``.
    """
    names = [f"{op_type}{index}" for index, (op_type, _, _) in enumerate(nodes[:-1])] + ["value"]
    made = [
        helper.make_node(op_type, taken, [name, *[f"{name}.second"] * (op_type in TWO)], name=name, **attributes)
        for (op_type, taken, attributes), name in zip(nodes, names, strict=True)
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", *inputs])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    contract = ModelContract(
        "g",
        "regression",
        (TensorSpec("features", "float32", ("batch", *inputs)),),
        (TensorSpec("value", "float32", ("batch", outputs)),),
        targets=tuple(f"t{index}" for index in range(outputs)),
    )
    return model.SerializeToString(), contract
