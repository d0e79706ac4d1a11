"""Certified graphs of tables with text and timestamps: what is claimed holds, and no other encoder passes for ours."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from parity_export.error_bounds import CannotCertifyError
from parity_export.error_bounds.check_bounds import check_bounds
from parity_export.error_bounds.derive_bounds import derive_bounds
from parity_export.error_bounds.known_encoder import encoded_values
from parity_export.error_bounds.propagate import propagate_error_bounds
from parity_export.gate.graph_float64 import graph_float64
from parity_export.gate.run_gate import run_gate
from parity_runtime import Feature
from parity_runtime.feature import MISSING_TIMESTAMP
from tests.export.table_models import AGE, ALL, CITY, JOINED, MEMBER, PLAN, table_contract, table_rows
from tests.export.test_encoder import changed, encoded_graph, node_of
from tests.soak import sampled

_TABLES = {
    "every kind": ALL,
    "numbers and text": (AGE, CITY),
    "text alone": (CITY, PLAN),
    "timestamps alone": (JOINED,),
    "numbers alone": (AGE, MEMBER),
}


@pytest.mark.parametrize("name", sampled(_TABLES, {"every kind", "timestamps alone"}))
def test_the_bounds_hold_on_every_probe_and_speak_for_torch(name: str) -> None:
    """Texts, moments at the ends of int64, missing cells: no engine leaves its error bound."""
    graph = encoded_graph(_TABLES[name])
    report = derive_bounds(graph)
    result = run_gate(graph, None, report.exact_bounds())
    assert result.report.passed, result.report.reasons()
    assert result.oracle is not None
    assert check_bounds(report, graph, result.oracle) == []
    assert report.model.torch_gaps == []
    assert report.bounded >= report.rows - 2  # the largest float32 overflows
    assert report.certified is not None and report.certified > 0.9 * report.rows


def test_a_missing_cell_has_a_bound_like_any_other() -> None:
    """What is missing is imputed inside the graph, a year too: the label is certified all the same."""
    graph = encoded_graph()
    session = propagate_error_bounds(graph.onnx, graph.contract).session()
    nothing = {
        "features": np.full((1, 2), np.nan, np.float32),
        "categories": np.full((1, 2), "", object),
        "timestamps": np.full((1, 2), MISSING_TIMESTAMP),
    }
    bound, certified = session.run(["error_bound", "certified"], nothing)
    assert 0 < float(bound[0, 0]) < 1e-4
    assert certified.tolist() == [True]


def test_text_and_years_add_no_error_of_their_own() -> None:
    """Rows of a constant table are exact: a linear map of them is bounded as one of inputs, about n roundings."""
    graph = encoded_graph((CITY, PLAN))
    session = propagate_error_bounds(graph.onnx, graph.contract).session()
    bound = session.run(["error_bound"], table_rows(graph.contract, 200))[0]
    assert float(bound.max()) < 1e-5


def test_an_integer_that_is_cast_is_rounded_before_float64() -> None:
    """A year beyond 2^24 is a float32 in the graph, and so it is in the graph's own exact answers."""
    contract = table_contract((JOINED,))
    graph = encoded_graph((JOINED,)).onnx
    far = {"timestamps": np.array([[-(2**63) + 1], [2**63 - 1], [0]])}
    years = graph_float64(graph, ["encoder.features"])(far)["encoder.features"]
    assert contract.features[0].kind == "datetime"
    assert years.dtype == np.float64
    assert years.ravel().tolist() == [float(np.float32(-292_277_022_657)), float(np.float32(292_277_026_596)), 1970.0]


def _another_index(graph: onnx.GraphProto) -> None:
    values = next(one for one in node_of(graph, "encoder.index_0").attribute if one.name == "values_int64s")
    values.ints[1], values.ints[2] = values.ints[2], values.ints[1]


def _another_key(graph: onnx.GraphProto) -> None:
    keys = next(one for one in node_of(graph, "encoder.index_0").attribute if one.name == "keys_strings")
    keys.strings[1] = b"Rome"


def _another_number(graph: onnx.GraphProto) -> None:
    tensor = next(one for one in graph.initializer if numpy_helper.to_array(one).tolist() == 146_097)
    tensor.CopyFrom(numpy_helper.from_array(np.int64(146_096), tensor.name))


def _another_operator(graph: onnx.GraphProto) -> None:
    node_of(graph, "encoder.days").op_type = "Add"


def _computed_by_a_float(graph: onnx.GraphProto) -> None:
    """Name what a float decides as the encoder's indices: a proof that went by names would begin there."""
    for node in graph.node:
        node.output[:] = ["true indices" if name == "encoder.indices" else name for name in node.output]
    graph.initializer.append(numpy_helper.from_array(np.array([[1, 1, 1, 1, 1]], np.int64), "more"))
    graph.node.insert(0, helper.make_node("Cast", ["features"], ["whole"], name="whole", to=onnx.TensorProto.INT64))
    graph.node.insert(1, helper.make_node("Mul", ["whole", "more"], ["encoder.indices"], name="decided"))


def _far_behind(graph: onnx.GraphProto) -> None:
    """Put ten thousand nodes in front of the text: who follows them all runs out of stack."""
    chain = [f"chain {index}" for index in range(10_000)]
    nodes = [
        helper.make_node("Identity", [before], [after], name=after)
        for before, after in zip(["categories", *chain], chain, strict=False)
    ]
    node_of(graph, "encoder.index_0").input[0] = chain[-1]
    others = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *others])


@pytest.mark.parametrize(
    "change", [_another_index, _another_key, _another_number, _another_operator, _computed_by_a_float, _far_behind]
)
def test_another_encoder_is_not_certified(change: Callable[[onnx.GraphProto], None]) -> None:
    """A proof that begins at the encoder's values is of the encoder that was argued about."""
    graph = changed(encoded_graph((AGE, CITY, JOINED)), change)
    with pytest.raises(CannotCertifyError, match="not computed by the encoder that parity export writes"):
        propagate_error_bounds(graph.onnx, graph.contract)


def test_the_encoder_of_other_columns_is_another_one() -> None:
    """The contract says which texts there are: a graph of one contract is not certified by another's."""
    graph = encoded_graph((AGE, CITY))
    other = table_contract((AGE, Feature("city", "categories", 0, "categorical", categories=("Rome", "Oslo"))))
    assert len(encoded_values(graph.model.graph, graph.contract)) == 1
    with pytest.raises(CannotCertifyError, match=r"encoder\.indices is not computed by the encoder"):
        encoded_values(graph.model.graph, other)


@pytest.mark.parametrize("op_type", ["LabelEncoder", "ArrayFeatureExtractor"])
def test_other_nodes_of_that_domain_have_no_rule(op_type: str) -> None:
    """A LabelEncoder outside of the encoder may map anything to anything."""

    def behind(graph: onnx.GraphProto) -> None:
        made = helper.make_node(
            op_type, ["encoder.indices"], ["mapped"], "odd", domain="ai.onnx.ml",
            **({"keys_int64s": [0, 1, 2], "values_int64s": [2, 1, 0]} if op_type == "LabelEncoder" else {}),
        )  # fmt: skip
        place = [node.output[0] for node in graph.node].index("encoder.indices") + 1
        for node in graph.node[place:]:
            node.input[:] = ["mapped" if name == "encoder.indices" else name for name in node.input]
        if op_type == "ArrayFeatureExtractor":
            made.input.append("encoder.indices")
        graph.node.insert(place, made)

    graph = changed(encoded_graph((AGE, CITY)), behind)
    with pytest.raises(CannotCertifyError, match=r"of the domain ai\.onnx\.ml"):
        propagate_error_bounds(graph.onnx, graph.contract)


def test_a_where_on_a_computed_number_is_refused() -> None:
    """Whether a computed number is NaN is no input's business: another evaluation may choose otherwise."""

    def choose(graph: onnx.GraphProto) -> None:
        last = next(node for node in graph.node if node.op_type == "Relu")
        asked = helper.make_node("IsNaN", [last.output[0]], ["asked"], name="asked")
        graph.initializer.append(numpy_helper.from_array(np.ones(8, np.float32), "one"))
        graph.initializer.append(numpy_helper.from_array(np.zeros(8, np.float32), "none"))
        chosen = helper.make_node("Where", ["asked", "one", "none"], ["chosen"], name="chosen")
        place = list(graph.node).index(last) + 1
        for node in graph.node[place:]:
            node.input[:] = ["chosen" if name == last.output[0] else name for name in node.input]
        graph.node.insert(place, asked)
        graph.node.insert(place + 1, chosen)

    graph = changed(encoded_graph((AGE, CITY)), choose)
    with pytest.raises(CannotCertifyError, match="it chooses by a computed value"):
        propagate_error_bounds(graph.onnx, graph.contract)


def test_a_table_that_is_indexed_by_a_computed_number_is_refused() -> None:
    """An index that a float decides may be another one in another evaluation."""

    def decide(graph: onnx.GraphProto) -> None:
        scaled = next(node for node in graph.node if node.op_type == "Div")
        constants = {tensor.name for tensor in graph.initializer}
        taken = next(node for node in graph.node if node.op_type == "Gather" and node.input[0] in constants)
        graph.initializer.append(numpy_helper.from_array(np.array([1]), "axis"))
        top = helper.make_node("ReduceMax", [scaled.output[0], "axis"], ["top"], name="top", keepdims=0)
        whole = helper.make_node("Cast", ["top"], ["whole"], name="whole", to=onnx.TensorProto.INT64)
        taken.input[1] = "whole"
        others = [node for node in graph.node if node is not taken]
        place = others.index(scaled) + 1
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in
                 [*others[:place], top, whole, taken, *others[place:]]]  # fmt: skip
        del graph.node[:]
        graph.node.extend(nodes)

    graph = changed(encoded_graph((AGE, CITY)), decide)
    with pytest.raises(CannotCertifyError, match="operator Cast at node whole"):
        propagate_error_bounds(graph.onnx, graph.contract)


def test_the_certified_graph_begins_with_the_same_encoder() -> None:
    """The nodes that compute the answers stay as they are."""
    graph = encoded_graph((CITY, JOINED))
    certified = propagate_error_bounds(graph.onnx, graph.contract).proto.graph
    plain = graph.onnx.proto.graph
    names = [node.name for node in plain.node]
    assert [node.name for node in certified.node if not node.name.startswith("error_bound.")] == names
