"""The backward pass: what every operator adds of its own, what that is worth to an answer, and what is claimed."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from parity_export.error_bounds.adjoints.backward_pass import backward_pass, worth
from parity_export.error_bounds.adjoints.rows import find_rows
from parity_export.error_bounds.adjoints.seeds import MOST, all_answers
from parity_export.error_bounds.bound import Bound
from parity_export.error_bounds.bound_graph import BoundBuilder
from parity_export.error_bounds.propagate import _bound_all
from parity_export.error_bounds.registry import FILES
from parity_export.error_bounds.rounding_model import FLUSHED, UNIT
from parity_runtime import ModelContract, TensorSpec
from parity_runtime.inference.session import create_session
from tests.proof.arithmetic import COMPLIANT, Exact
from tests.proof.evaluator import OPERATORS, evaluate
from tests.proof.graphs import certified_graph, value_graph
from tests.proof.test_norms import EVALUATORS, LAYER_NORM, TWO, WIDTH, _layers, gemm, product, shape
from tests.proof.test_norms import NETWORKS as KNOWN

WITH_STEPS = {
    "Relu", "Tanh", "Sigmoid", "LeakyRelu", "PRelu", "Neg", "Identity", "Mul", "Add", "Div", "BatchNormalization",
    "residual", "a mean of images", "sequences", "a flat sequence", "Gelu", "Silu",
}  # fmt: skip
"""Networks of `test_norms` in which every operator but the first ones is gone through."""

OTHERS = {"images", "choices", "attention", "parts", "masked attention", "written out", "rounded constants"}
"""Networks in which the pass ends at some operators."""


@dataclass
class Made:
    """A graph that answers all that its backward pass is made of.

    Attributes:
        graph: serialized.
        own: of the values whose own errors count: that of their own errors, its scale, and the adjoint.
        bound: the names of the whole error bound that the pass gives, and of that of differences to the last answer.
        ended: values at which the pass ends.
    """

    graph: bytes
    own: dict[str, tuple[str, float, str]]
    bound: tuple[str, str]
    ended: set[str]


REMAINDERS = [
    f"parity_export.error_bounds.{module}.with_remainder"
    for module in ("adjoints.steps", "operators.shared.several_operands", "operators.softmax",
                   "operators.shared.bilinear")
]  # fmt: skip


def bare(graph: bytes) -> Made:
    """Go backwards through a graph, own errors without what the slopes' errors make of those of operands."""
    with pytest.MonkeyPatch.context() as patch:
        for name in REMAINDERS:
            patch.setattr(name, lambda builder, own, remainder: own)
        return made(graph)


def made(graph: bytes, *, alone: bool = False, error: float = 0.0) -> Made:
    """Go backwards through a graph.

    Args:
        graph: serialized.
        alone: whether no value hands its own error on.
        error: of ``features``.
    """
    model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), data_prop=True))
    nodes, answer = list(model.graph), model.graph.outputs[0]
    taken = Counter(value for node in nodes for value in node.inputs if value is not None)
    builder = BoundBuilder(model.graph, defaultdict(lambda: 2) if alone else taken + Counter([answer]))
    builder.begin(model.graph.inputs[0], Bound(constant=FLUSHED + error / UNIT))
    builder.rows = find_rows(nodes, model.graph.inputs)
    _bound_all(builder, nodes, model.opset_imports)
    last = np.eye(answer.shape[1], dtype=np.float32)[-1:]
    seeds = all_answers(builder, answer.shape[1], None)
    apart = builder.initializer(np.eye(answer.shape[1], dtype=np.float32)[None] - last)
    largest = builder.emit("ArgMax", [answer], {"axis": 1, "keepdims": 0})
    place = builder.emit(
        "Add", [builder.emit("Sub", [largest, largest]), builder.initializer(np.array([len(last[0]) - 1]))]
    )
    label = builder.emit("Unsqueeze", [place, builder.initializer(np.array([1]))])
    sums = backward_pass(builder, nodes, answer, replace(seeds, apart=apart, label=label))
    bounds = [one for one in worth(builder, sums) if one is not None]
    found = {str(one.value.name): (str(one.own.name), one.scale * UNIT, str(one.adjoint.nominal.name))
             for one in sums.counted}  # fmt: skip
    for value in dict.fromkeys([value for one in sums.counted for value in (one.own, one.adjoint.nominal)] + bounds):
        value.dtype = ir.DataType.FLOAT
        model.graph.outputs.append(value)
    ended = {name for name in found if not any(str(value.name) == name for value in builder.steps)}
    made_graph = ir.to_proto(model).SerializeToString()
    return Made(made_graph, found, (str(bounds[0].name), str(bounds[1].name)), ended)


CAUSAL = np.triu(np.full((3, 3), -np.inf, np.float32), 1)
MEAN = ("ReduceMean", [np.array([-1])], {"keepdims": 1})
NETWORKS: dict[str, tuple[list[Any], list[int], int]] = KNOWN | {
    "masked attention": (
        [product(6, 4), "save", LAYER_NORM, product(6, 6), ("Transpose", ("LayerNormalization1",), {"perm": [0, 2, 1]}),
         ("MatMul", ("MatMul2", "current"), {}), ("Mul", [np.float32(0.4)], {}), ("Add", [CAUSAL], {}),
         ("Softmax", [], {"axis": 2}), ("MatMul", ("current", "LayerNormalization1"), {}), product(6, 6), "Add", "save",
         LAYER_NORM, product(6, 6), "Relu", product(6, 6), "Add", shape(-1, 18), gemm(3, 18)],
        [3, 4],
        3,
    ),
    "written out": (
        [*TWO, "save", ("Div", [np.float32(np.sqrt(2))], {}), "Erf", ("Add", [np.float32(1)], {}),
         ("Mul", ("current", "saved"), {}), ("Mul", [np.float32(0.5)], {}), gemm(), "save", MEAN,
         ("Sub", ("saved", "current"), {}), "save", ("Pow", [np.float32(2)], {}), MEAN, ("Add", [np.float32(1e-5)], {}),
         "Sqrt", ("Div", ("saved", "current"), {}), ("Mul", LAYER_NORM[1][:1], {}), ("Add", LAYER_NORM[1][1:], {}),
         gemm(), "Relu", gemm(2)],
        [WIDTH],
        2,
    ),
    "rounded constants": (
        [*TWO, "Relu", ("Sqrt", ("half",), {}), ("Mul", ("Relu2", "current"), {}), gemm(),
         ("Add", ("current", "Sqrt3"), {}), "Tanh", ("Div", ("current", "Sqrt3"), {}), gemm(),
         ("Mul", ("current", "Sqrt3"), {}), gemm(), "Tanh", gemm(2)],
        [WIDTH],
        2,
    ),
    "Silu": (
        [gemm(), gemm(), "save", "Sigmoid", ("Mul", ("current", "saved"), {}), gemm(), "Tanh", "save", "Sigmoid",
         ("Mul", ("current", "saved"), {}), gemm(2)],
        [WIDTH],
        2,
    ),
}  # fmt: skip


def network(name: str) -> tuple[bytes, ModelContract]:
    kinds, inputs, outputs = NETWORKS[name]
    nodes, constants = _layers(*kinds)
    return value_graph(nodes, constants | {"half": np.float32([0.5])}, inputs, outputs)


def rows_of(name: str, count: int = 6, size: float = 1.0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(21)
    return {"features": (random.standard_normal((count, *NETWORKS[name][1])) * size).astype(np.float32)}


def asked(pass_made: Made, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return all that a pass is made of, by name."""
    names = [one.name for one in onnx.load_from_string(pass_made.graph).graph.output]
    return dict(zip(names, create_session(pass_made.graph).run(None, inputs), strict=True))


def _node(node: onnx.NodeProto, values: dict[str, Any]) -> np.ndarray:
    """Return a node's exact result of values that an evaluation found."""
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    given = [np.asarray(values[name], np.float64) if values[name].dtype.kind == "f" else values[name]
             for name in node.input]  # fmt: skip
    return OPERATORS[node.op_type](Exact(), given, attributes)


@pytest.mark.parametrize("name", sorted(WITH_STEPS - {"Silu"} | OTHERS))  # that is one function of two nodes
def test_no_operator_adds_more_of_its_own_than_it_says(name: str) -> None:
    graph, _ = network(name)
    pass_made, model = made(graph, alone=True), onnx.load_from_string(graph).graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in model.initializer}
    for node in model.node:  # of constants alone: the exact ones, which S is of
        if all(value in constants for value in node.input):
            constants[node.output[0]] = _node(node, constants)
    for size in (1.0, 1e-20):
        inputs = rows_of(name, 3, size)
        for backend in EVALUATORS.values():
            if backend.fold:
                continue  # a map that is folded into another adds nothing itself
            found = evaluate(pass_made.graph, inputs, backend) | constants
            for node in model.node:
                value = node.output[0]
                if value in pass_made.own and value not in pass_made.ended:
                    own, scale, _ = pass_made.own[value]
                    error = np.abs(found[value] - _node(node, found))
                    assert (error <= found[own].astype(float).reshape(error.shape) * scale).all(), (value, size)


def behind_two_maps(*kinds: Any) -> list[Any]:
    return [*TWO, *kinds, gemm(), "Relu", gemm(2)]


ROOT = ("Sqrt", ("half",), {})
WHERE_IT_ENDS: dict[str, tuple[list[Any], set[str]]] = {
    "a root as a factor": (behind_two_maps("Relu", ROOT, ("Mul", ("Relu2", "current"), {})), {"Mul4"}),
    "a root as a divisor": (behind_two_maps("Relu", ROOT, ("Div", ("Relu2", "current"), {})), {"Div4"}),
    "a root that may be folded into weights": (behind_two_maps(ROOT, ("Mul", ("current", "Gemm1"), {})), {"Mul3"}),
    "a root that may be folded into a bias": (behind_two_maps(ROOT, ("Sub", ("Gemm1", "current"), {})), {"Sub3"}),
    "a written-out Gelu": (NETWORKS["written out"][0][:8] + behind_two_maps()[2:], {"Mul6"}),
    "a written-out Gelu before a LayerNormalization": (NETWORKS["written out"][0], {"Mul6"}),
    "a mask that others take": (NETWORKS["masked attention"][0], {"Softmax7", "MatMul0"}),
}


@pytest.mark.parametrize("name", WHERE_IT_ENDS)
def test_a_pass_ends_where_no_slope_is_known(name: str) -> None:
    """Of a constant that evaluations round differently, and where a backend may compute another function."""
    kinds, ended = WHERE_IT_ENDS[name]
    nodes, constants = _layers(*kinds)
    sequences = "mask" in name
    graph, _ = value_graph(
        nodes, constants | {"half": np.float32([0.5])}, [3, 4] if sequences else [WIDTH], 2 + sequences
    )
    assert made(graph, alone=True).ended == ended


WORST_CASES = {
    case.name: case
    for name in ("gemm", "matmul", "conv", "add", "mul", "div", "leaky_relu", "average_pool", "reduce_sum")
    for case in FILES[name].worst_cases()
    if case.name in ("Gemm", "Gemm, no bias", "MatMul", "Conv", "Add constant", "Mul constant",
                     "Div constant", "AveragePool", "ReduceSum", "Gemm, Add", "Gemm, residual")
}  # fmt: skip


@pytest.mark.parametrize("name", WORST_CASES)
def test_the_worst_cases_reach_half_of_what_an_operator_says_of_its_own(name: str) -> None:
    """Behind a Relu, so that an error is handed on to it; of maps behind a map, both together."""
    case = WORST_CASES[name]
    nodes: list[Any] = [("Relu", ["features"], {})]
    for operator, taken, attributes in case.nodes:
        moved = [re.sub(r"^([A-Z]\w*?)(\d+)$", lambda found: f"{found[1]}{int(found[2]) + 1}", one) for one in taken]
        nodes.append((operator, ["Relu0" if one == "features" else one for one in moved], attributes))
    graph, _ = value_graph(nodes, case.constants, case.rows.shape[1:], case.outputs)
    pass_made, inputs = made(graph, alone=not name.startswith("Gemm, ")), {"features": np.abs(case.rows)}
    exact, worst = evaluate(graph, inputs, Exact()), 0.0
    [value, *others] = [one for one in pass_made.own if one not in pass_made.ended and one != "Relu0"]
    assert not others
    for backend in (*COMPLIANT.values(), *EVALUATORS.values()):
        found = evaluate(pass_made.graph, inputs, backend)
        if value in found:
            own, scale, _ = pass_made.own[value]
            share = np.abs(found[value] - exact[value]) / (found[own].astype(float).reshape(found[value].shape) * scale)
            worst = max(worst, float(share.max()))
    assert case.least <= worst <= 1


@pytest.mark.parametrize("name", sorted(WITH_STEPS | OTHERS))
def test_own_errors_with_the_worst_signs_reach_the_bound_and_do_not_pass_it(name: str) -> None:
    """Let every operator err by all of its own, with the sign that hurts one answer most.

    Where the pass ends that is the whole error, what its operands' errors make of the value included.
    """
    graph, _ = network(name)
    inputs = rows_of(name)
    (_, bounds), (pass_made, known) = ((one, asked(one, inputs)) for one in (made(graph), bare(graph)))
    names, reached = made(graph).bound, []
    seeds = len(bounds[names[0]][0])
    for seed, other in [(index, None) for index in range(seeds)] + [(0, seeds - 1)] * (seeds > 1):
        bound = bounds[names[other is not None]][:, seed].astype(float) * UNIT
        error = worst_error(graph, inputs, (pass_made, known), (seed, other))
        assert (error <= bound).all(), (seed, other)
        reached.append(float(np.median(error / bound)))
    if name in WITH_STEPS:
        assert min(reached) > 0.8, reached


BEHIND_ONE_PRODUCT: dict[str, list[Any]] = {
    "a Slice": [("Slice", [np.array([1]), np.array([3]), np.array([1])], {}), ("Mul", [np.float32([1.7])], {})],
    "a Gather": [("Gather", [np.array([1, 2])], {"axis": 1}), ("Mul", [np.float32([1.7])], {})],
    "a Split": [("Split", [], {"axis": 1, "num_outputs": 2}), ("Mul", [np.float32([1.7])], {})],
    "an Identity of what others take": [
        "save", "Identity", ("Mul", [np.float32([1.7])], {}), ("Concat", ("current", "saved"), {"axis": 1})
    ],
    "a Reshape of what others take": [
        "save", shape(-1, 4), ("Mul", [np.float32([1.7])], {}), ("Concat", ("current", "saved"), {"axis": 1})
    ],
    "two factors of what others take": [
        "save", ("Mul", [np.float32([1.7])], {}), ("Mul", [np.float32([1.3])], {}),
        ("Concat", ("current", "saved"), {"axis": 1}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", BEHIND_ONE_PRODUCT)
def test_a_factor_counts_behind_part_of_a_map_and_behind_what_others_take(name: str) -> None:
    """Of single products, whose map adds no more than the factor does: rounded once by each."""
    weight = np.float32([[1.1], [1.3], [1.37], [1.9]])
    kinds = [("Gemm", [weight], {"transB": 1}), *BEHIND_ONE_PRODUCT[name]]
    graph, contract = value_graph(*_layers(*kinds), [1], 2 if len(kinds) == 3 else 8)
    inputs = {"features": np.linspace(1, 2, 20_000, dtype=np.float32)[:, None]}
    exact = evaluate(graph, inputs, Exact())["value"]
    session = create_session(certified_graph(graph, contract, "tight"), optimization="disabled")
    value, bound = session.run(["value", "error_bound"], inputs)
    assert 0.7 < (np.abs(value - exact) / bound).max() <= 1


KINKS: list[Any] = [
    "Relu", ("LeakyRelu", [], {"alpha": -0.5}), "MaxPool", "Abs", ("Clip", [np.float32(-9), np.float32(0)], {}),
    ("Max", [np.zeros(4, np.float32)], {}),
]  # fmt: skip


@pytest.mark.parametrize("activation", KINKS)
def test_a_slope_that_is_not_known_is_paid_for(activation: Any) -> None:
    """What is exactly zero, or the largest of equal ones, may lie on either side after what came before has erred."""
    doubled, apart = (
        np.float32([[1, 0], [1, 0], [0, 1]]),
        np.float32([[1, -1, 0.5], [-1, 1, 0.25], [1, -1, 0], [2, -2, 1]]),
    )
    sums = np.float32([[1, -1, 0.5, 0.25]])
    first: list[Any] = [("Gemm", [doubled], {"transB": 1}), "Tanh", ("Gemm", [apart], {"transB": 1})]
    pooled: list[Any] = [shape(-1, 1, 2, 2), ("MaxPool", [], {"kernel_shape": [2, 2]}), ("Flatten", [], {"axis": 1})]
    kinds = [*first, *(pooled if activation == "MaxPool" else [activation])]
    last = sums[:, :1] if activation == "MaxPool" else sums
    graph, _ = value_graph(*_layers(*kinds, ("Gemm", [last], {"transB": 1})), [2], 1)
    inputs = {"features": np.float32([[0.3, 0], [-0.2, 0], [1, 1]])}
    whole, pass_made = made(graph), bare(graph)
    known, bound = asked(pass_made, inputs), asked(whole, inputs)[whole.bound[0]][:, 0].astype(float) * UNIT
    exact, model = evaluate(graph, inputs, Exact())["value"], onnx.load_from_string(graph).graph
    random, reached = np.random.default_rng(2), np.zeros(3)
    for _ in range(300):
        values = {one.name: onnx.numpy_helper.to_array(one) for one in model.initializer}
        values |= {"features": inputs["features"].astype(np.float64)}
        for node in model.node:
            value = node.output[0]
            values[value] = _node(node, values)
            if value in pass_made.own:
                own, scale, _ = pass_made.own[value]
                size = known[own].astype(float).reshape(values[value].shape) * scale
                values[value] = values[value] + size * random.choice([-1, 1], values[value].shape)
        reached = np.maximum(reached, np.abs(values["value"] - exact)[:, 0] / bound)
    assert (reached <= 1).all() and (reached > 0.2).all(), reached


def worst_error(
    graph: bytes, inputs: dict[str, np.ndarray], bare_pass: tuple[Made, Any], seeds: tuple[int, int | None]
) -> np.ndarray:
    """Return how far an answer comes off, or a difference, where every operator errs by all of its own.

    Args:
        graph: serialized.
        inputs: rows.
        bare_pass: what a pass through the graph is made of, and its values.
        seeds: the answer, and what is subtracted from it.
    """
    (pass_made, known), model = bare_pass, onnx.load_from_string(graph).graph
    whole = evaluate(graph, inputs, Exact()) | inputs
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.initializer}
    values |= {name: array.astype(np.float64) for name, array in inputs.items()}
    for node in [None, *model.node]:
        value = "features" if node is None else node.output[0]
        if node is not None:
            found = _node(node, values)
            values |= zip(node.output, found if node.op_type == "Split" else [found], strict=True)
        if value in pass_made.ended:
            values[value] = whole[value]
        if value in pass_made.own:
            values[value] = values[value] + _worst(pass_made, known, value, values[value].shape, seeds)
    moved, (seed, other) = values["value"] - whole["value"], seeds
    return np.abs(moved[:, seed] if other is None else moved[:, seed] - moved[:, other])


def _worst(pass_made: Made, known: Any, value: str, shape: Any, seeds: tuple[int, int | None]) -> np.ndarray:
    own, scale, adjoint = pass_made.own[value]
    adjoints = known[adjoint]
    sign = np.sign(adjoints[:, seeds[0]] - (0 if seeds[1] is None else adjoints[:, seeds[1]]))
    error: np.ndarray = np.broadcast_to(sign, shape) * known[own].astype(float).reshape(shape) * scale
    return error


@pytest.mark.parametrize("name", ["BatchNormalization", "PRelu", "Silu", "residual", "sequences", *sorted(OTHERS)])
def test_no_evaluator_leaves_a_tight_error_bound(name: str) -> None:
    graph, contract = network(name)
    inputs = rows_of(name)
    fast, tight = (certified_graph(graph, contract, kind) for kind in ("fast", "tight"))
    before = create_session(fast).run(["error_bound"], inputs)[0]
    sessions = [create_session(tight, optimization=level) for level in ("disabled", "all")]
    answers = [session.run(["value", "error_bound"], inputs) for session in sessions]
    assert all((bound <= before).all() for _, bound in answers)
    exact = evaluate(graph, inputs, Exact())["value"]
    by_hand = [evaluate(tight, inputs, backend) for backend in EVALUATORS.values()]
    smallest = np.min([answer["error_bound"] for answer in by_hand], axis=0)
    for value in [answer["value"] for answer in by_hand] + [value for value, _ in answers]:
        assert (np.abs(value - exact) <= smallest).all()
    assert np.isfinite(smallest).all() and (smallest < before).any()


@pytest.mark.parametrize("filling", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("name", ["Relu", "residual", "a mean of images"])
def test_nothing_is_claimed_of_what_is_not_finite(name: str, filling: float) -> None:
    graph, contract = network(name)
    certified = certified_graph(graph, contract, "tight")
    inputs = rows_of(name, 2)
    inputs["features"][0] = filling
    for level in ("disabled", "all"):
        bound = create_session(certified, optimization=level).run(["error_bound"], inputs)[0]
        assert np.isposinf(bound[0]).all() and np.isfinite(bound[1]).all()


def test_own_errors_that_are_too_small_would_be_found() -> None:
    """A tenth of what a linear map says of its own is not enough: the tests above can fail."""
    graph, _ = network("Relu")
    pass_made, inputs = made(graph, alone=True), rows_of("Relu")
    own, scale, _ = pass_made.own["Gemm3"]
    worst = 0.0
    for backend in EVALUATORS.values():
        found = evaluate(pass_made.graph, inputs, backend)
        model = onnx.load_from_string(graph).graph
        node = next(node for node in model.node if node.output[0] == "Gemm3")
        found |= {one.name: onnx.numpy_helper.to_array(one) for one in model.initializer}
        worst = max(worst, float((np.abs(found["Gemm3"] - _node(node, found)) / (found[own] * scale)).max()))
    assert 0.1 < worst < 1


def classifier(classes: int, *kinds: Any, sizes: tuple[int, ...] = (WIDTH,)) -> tuple[bytes, ModelContract]:
    """Return a graph of many classes with its label."""
    graph, _ = value_graph(*_layers(*kinds), sizes, classes)
    model = onnx.load_from_string(graph)
    model.graph.node[-1].output[0] = model.graph.output[0].name = "logits"
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0))
    model.graph.output.append(onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["batch"]))
    model.graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    model.graph.output.append(onnx.helper.make_tensor_value_info("probabilities", 1, ["batch", classes]))
    scores = [TensorSpec(name, "float32", ("batch", classes)) for name in ("logits", "probabilities")]
    outputs = (*scores, TensorSpec("label", "int64", ("batch",)))
    names = tuple(f"c{index}" for index in range(classes))
    inputs = (TensorSpec("features", "float32", ("batch", *sizes)),)
    return model.SerializeToString(), ModelContract("g", "multiclass", inputs, outputs, classes=names)


@pytest.mark.parametrize("classes", [3, MOST + 1, 3 * MOST])
def test_labels_are_certified_by_their_margins_also_of_many_classes(classes: int) -> None:
    deep = [kind for _ in range(5) for kind in (gemm(), "Tanh")]
    graph, contract = classifier(classes, *deep, gemm(classes, WIDTH))
    inputs = {"features": np.random.default_rng(1).standard_normal((1000, WIDTH)).astype(np.float32)}
    answers = {kind: create_session(certified_graph(graph, contract, kind)) for kind in ("fast", "tight")}
    names = ["logits", "error_bound", "certified"]
    (_, fast, before), (logits, tight, after) = (session.run(names, inputs) for session in answers.values())
    assert (tight <= fast).all() and (after | ~before).all()
    exact = evaluate(graph, inputs, Exact())["logits"]
    assert (np.abs(logits - exact) <= tight).all()
    top = np.sort(logits.astype(float), axis=1)
    sums = np.sort(tight.astype(float), axis=1)[:, -2:].sum(axis=1)
    assert (tight < fast).sum(axis=1).min() >= min(classes, 2)
    assert after[top[:, -1] - top[:, -2] > 2.1 * sums].all()
    evaluated = evaluate(certified_graph(graph, contract, "tight"),
                         {"features": inputs["features"][:20]}, EVALUATORS["adversarial +1"])  # fmt: skip
    assert (np.abs(evaluated["logits"] - exact[:20]) <= evaluated["error_bound"]).all() and evaluated["certified"].all()


def test_labels_behind_a_masked_attention_are_certified() -> None:
    kinds, sizes, classes = NETWORKS["masked attention"]
    graph, contract = classifier(classes, *kinds, sizes=tuple(sizes))
    inputs = {"features": np.random.default_rng(3).standard_normal((300, *sizes)).astype(np.float32)}
    names = ["logits", "error_bound", "certified"]
    found = [create_session(certified_graph(graph, contract, kind)).run(names, inputs) for kind in ("fast", "tight")]
    (_, fast, before), (logits, tight, after) = found
    assert after.mean() > 0.99 and (after | ~before).all()
    assert np.median(tight / fast) < 0.5
    assert (np.abs(logits - evaluate(graph, inputs, Exact())["logits"]) <= tight).all()


def test_a_tight_graph_stays_within_twice_and_a_half_of_the_plain_ones_size() -> None:
    kinds = [kind for _ in range(8) for kind in (gemm(64, 64), ("LeakyRelu", [], {"alpha": 0.5}))]
    graph, contract = value_graph(*_layers(*kinds, gemm(10, 64)), [64], 10)
    assert len(certified_graph(graph, contract, "tight")) < 2.5 * len(graph)
