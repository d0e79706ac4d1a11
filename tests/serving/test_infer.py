"""What a model answers to the bytes of a request: no server is asked."""

import json
import math
import random
import shutil
import time
from typing import Any

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.serving.infer_answer import TextOutput, encode_answer
from parity_runtime.serving.infer_request import RequestTensor
from parity_runtime.serving.quick_bodies import LARGEST
from parity_runtime.serving.request_error import RequestError
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.serving.tensor_data import tensor_array
from tests.embedding.parcels import FACTS, check_outputs
from tests.runtime.strange_labels import STEP, shift_labels
from tests.serving.conftest import DATA, body, tensor

ROWS = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)
DTYPES = {"INT64": np.int64, "FP32": np.float32, "BOOL": np.bool_}


def ask(model: ServedModel, sent: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(model.infer(sent).body)
    return answer


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in answer["outputs"]}


def test_answers_are_the_predictors_bits(xor: ServedModel) -> None:
    expected = Predictor(DATA / "xor_certified", certified=True).run({"features": ROWS})
    answer = ask(xor, body(id="7"))
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "xor", xor.version)
    found = {output["name"]: output for output in answer["outputs"]}
    assert list(found) == ["label", "probabilities", "logits", "error_bound", "certified", "class"]
    assert found.pop("class")["data"] == ["1", "0"]
    for name, output in found.items():
        array = np.array(output["data"], DTYPES[output["datatype"]]).reshape(output["shape"])
        assert array.tobytes() == expected[name].tobytes()


def test_floats_are_spelled_as_short_as_they_read_back(xor: ServedModel) -> None:
    text = xor.infer(body(outputs=[{"name": "logits"}])).body.decode()
    expected = Predictor(DATA / "xor_certified", certified=True).run({"features": ROWS})["logits"]
    assert f'"data":[{",".join(map(str, expected.ravel()))}]' in text


def test_nested_data_and_chosen_outputs(xor: ServedModel) -> None:
    sent = body(tensor(data=ROWS.astype(float).tolist()), outputs=[{"name": "class"}, {"name": "label"}])
    answer = ask(xor, sent)
    assert [output["name"] for output in answer["outputs"]] == ["class", "label"]
    assert outputs(answer)["label"] == [1, 0] and "id" not in answer


@pytest.mark.parametrize("datatype", ["FP64", "FP16", "INT64", "UINT8", "INT8"])
def test_numbers_of_another_datatype_are_converted(xor: ServedModel, datatype: str) -> None:
    answer = ask(xor, body(tensor(datatype=datatype, data=[0, 1, 1, 1])))
    assert answer["outputs"] == ask(xor, body(tensor(data=[0, 1, 1, 1])))["outputs"]


@pytest.mark.parametrize("name", ["input-1", "input-0", "input_3", "input0"])
def test_the_only_input_may_come_without_its_name(xor: ServedModel, name: str) -> None:
    assert ask(xor, body(tensor(name=name)))["outputs"] == ask(xor, body())["outputs"]


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_a_table_may_come_as_a_tensor_a_column(xor: ServedModel, shape: list[int]) -> None:
    columns = [tensor(name=name, shape=shape, datatype="FP64", data=cells)
               for name, cells in (("x2", [0.9, 0.5]), ("x1", [0.1, 0.5]))]  # fmt: skip
    assert ask(xor, body(*columns))["outputs"] == ask(xor, body())["outputs"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("[]", "the body is a list; it takes an object with 'inputs'; /openapi.json shows an example"),
        ("null", "the body is null; it takes an object with 'inputs'; /openapi.json shows an example"),
        ({"x1": 0.5}, "the request has no 'inputs'; it takes a list of at least one tensor; /openapi.json sh"),
        ({"inputs": [{"x1": 0.5}]}, "{'x1': 0.5} is not a tensor: it takes an object with a 'name'; /openapi.json"),
        ({"inputs": [{"name": "features", "datatype": "FP32", "data": [1, 1]}]}, "input 'features' has no 'shape'; it"),
        ({"inputs": [{"name": "features", "shape": [1, 2], "data": [1, 1]}]}, "input 'features' has no 'datatype'; kn"),
        ({"inputs": [{"name": "features", "shape": [1, 2], "datatype": "FP32"}]}, "input 'features' has no 'data'; it"),
        ({"inputs": [{"name": "features", "shape": [1, 2], "datatype": "BF16"}]}, "has the datatype 'BF16'; known are"),
    ],
)  # fmt: skip
def test_a_request_of_another_form_is_told_what_it_lacks(xor: ServedModel, sent: Any, told: str) -> None:
    with pytest.raises(RequestError) as raised:
        xor.infer(sent.encode() if isinstance(sent, str) else json.dumps(sent).encode())
    assert told in str(raised.value) and raised.value.status == 400


BAD: list[Any] = [
    "",
    "{",
    "[]",
    "[" * 10_000,
    "null",
    b"\xff",
    {},
    {"inputs": []},
    {"inputs": {}},
    {"inputs": [1]},
    {"inputs": [{"name": 1}]},
    {"inputs": [tensor(), tensor()]},
    {"inputs": [tensor(name="other")]},
    {"inputs": [tensor(name="x" * 5000)]},
    {"inputs": [tensor(name="x1")]},
    {"inputs": [tensor(name="x1", shape=[4])]},
    {"inputs": [tensor(name="x1", shape=[4]), tensor(name="x3", shape=[4])]},
    {"inputs": [tensor(name="x1", shape=[4]), tensor(name="x2", shape=[1], data=[1])]},
    {"inputs": [tensor(datatype="BYTES")]},
    {"inputs": [tensor(datatype="BF16")]},
    {"inputs": [tensor(datatype=None)]},
    {"inputs": [tensor(datatype=[])]},
    {"inputs": [tensor(shape=[2, 3])]},
    {"inputs": [tensor(shape=[4])]},
    {"inputs": [tensor(shape=[-2, -2])]},
    {"inputs": [tensor(shape=[2.0, 2])]},
    {"inputs": [tensor(shape=[True, 4])]},
    {"inputs": [tensor(shape=[0, 2**70], data=[])]},
    {"inputs": [tensor(shape=[2**70, 2])]},
    {"inputs": [tensor(shape="x")]},
    {"inputs": [tensor(shape=[1] * 100, data=[1])]},
    {"inputs": [tensor(shape=[], data=[1])]},
    {"inputs": [tensor(shape=[], data=[[1]])]},
    {"inputs": [tensor(data="0.1")]},
    {"inputs": [tensor(data=None)]},
    {"inputs": [tensor(data=[0.1, "0.9", 0.5, 0.5])]},
    {"inputs": [tensor(data=[0.1, True, 0.5, 0.5])]},
    {"inputs": [tensor(data=[[0.1, 0.9], [0.5]])]},
    {"inputs": [tensor(data=[[0.1, 0.9], 0.5])]},
    {"inputs": [tensor(data=[0.5, [0.1, 0.9], 1, 1])]},
    {"inputs": [tensor(data=[[[0.1, 0.9]], [[0.5, 0.5]]])]},
    {"inputs": [tensor(data=[10**400, 1, 1, 1])]},
    {"inputs": [tensor(data=[1e39, 1, 1, 1])]},
    {"inputs": [tensor(datatype="FP64", data=[1e39, 1, 1, 1])]},
    {"inputs": [tensor(datatype="UINT8", data=[-1, 1, 1, 1])]},
    {"inputs": [tensor()], "outputs": [{"name": "other"}]},
    {"inputs": [tensor()], "outputs": "label"},
    {"inputs": [tensor()], "outputs": []},
    {"inputs": [tensor()], "outputs": [{"name": "label", "parameters": {"binary_data": 1}}]},
    {"inputs": [tensor()], "outputs": [{"name": "label", "parameters": {"classification": 2}}]},
    {"inputs": [tensor()], "outputs": [{"name": "label"}, {"name": "label"}]},
    {"inputs": [tensor()], "id": 7},
    {"inputs": [tensor()], "parameters": []},
    {"inputs": [tensor()], "parameters": {"binary_data_output": "true"}},
    {"inputs": [tensor(parameters=1)]},
    {"inputs": [tensor(parameters={"content_type": "base64"})]},
    {"inputs": [tensor(parameters={"content_type": "pd_json"})]},
    {"inputs": [tensor(parameters={"shared_memory_region": "a"})]},
    {"inputs": [tensor(parameters={"binary_data_size": 16})]},
]


@pytest.mark.parametrize("sent", BAD)
def test_bad_bodies_are_refused_in_a_line(xor: ServedModel, sent: Any) -> None:
    content = sent if isinstance(sent, bytes) else sent.encode() if isinstance(sent, str) else json.dumps(sent).encode()
    with pytest.raises(RequestError) as refused:
        xor.infer(content)
    assert refused.value.status == 400 and 0 < len(str(refused.value)) <= 300 and str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("NaN", "not read as JSON"),
        ("-Infinity", "not read as JSON"),
        ("null", "row 2: x2 is missing"),
        ("1e999", "not read as JSON|inf"),
    ],
)
def test_cells_that_are_no_numbers(xor: ServedModel, cell: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        xor.infer(body(tensor(data=[0.1, 0.9, 0.5, 77])).replace(b"77", cell.encode()))


@pytest.mark.parametrize("shape", [[9] * 400_000, [10**4000, 10**4000], [10**4000], [2, 10**400]])
def test_a_hostile_shape_is_refused_at_once(xor: ServedModel, shape: list[int]) -> None:
    started = time.monotonic()
    with pytest.raises(RequestError):
        xor.infer(body(tensor(shape=shape[:3_000])))
    assert time.monotonic() - started < 30


def test_millions_of_lists_are_refused_before_they_are_made(xor: ServedModel) -> None:
    for sent in (b'{"inputs":[' + b"[]," * 200_000 + b"[]]}", b"[" * 200_000, b'{"inputs":[' + b'{"a":[]},' * 99_999):
        with pytest.raises(RequestError, match="holds more than 131072 lists and objects") as refused:
            xor.infer(sent)
        assert refused.value.status == 413


def test_more_rows_than_the_limit_are_refused_with_413(xor: ServedModel) -> None:
    with pytest.raises(RequestError, match="a batch of 101 rows is more than 100") as refused:
        xor.infer(body(tensor(shape=[101, 2], data=[0] * 202)))
    assert refused.value.status == 413


def test_no_rows(xor: ServedModel) -> None:
    assert list(outputs(ask(xor, body(tensor(shape=[0, 2], data=[])))).values()) == [[]] * 6


def test_what_is_not_finite_is_null(xor: ServedModel) -> None:
    found = outputs(ask(xor, body(tensor(data=[3e38, -3e38, 0, 0]))))
    assert found["error_bound"][0] is None and found["certified"][0] is False
    assert math.isfinite(found["error_bound"][1])


def test_a_row_without_a_finite_answer_is_refused() -> None:
    model = ServedModel(Predictor(DATA / "species"), 100)
    with pytest.raises(RequestError, match="row 2: the model computes no finite output for these numbers"):
        model.infer(body(tensor(shape=[2, 4], data=[0, 0, 0, 0, 3e38, -3e38, 3e38, -3e38])))


def test_a_label_that_is_no_class_is_the_models_fault(tmp_path: Any) -> None:
    package = shift_labels(shutil.copytree(DATA / "xor", tmp_path / "strange"))
    model = ServedModel(Predictor(package), 100)
    assert ask(model, body())["outputs"]
    with pytest.raises(RequestError, match="predicts the label 8") as refused:
        model.infer(body(tensor(shape=[1, 2], data=[7 * STEP, 0])))
    assert refused.value.status == 500


def row(**changes: Any) -> bytes:
    """A row of `parcels`, and its inputs' data changed."""
    data = {"features": [1.5, 1], "categories": ["Oslo", "3"], "timestamps": [-1]} | changes
    types = {"features": "FP32", "categories": "BYTES", "timestamps": "INT64"}
    return body(*[{"name": name, "shape": [1, len(cells)], "datatype": types[name], "data": cells}
                  for name, cells in data.items()])  # fmt: skip


@pytest.mark.parametrize("data", [
    {}, {"categories": ["Zürich", "東京"]}, {"categories": ["", ""]}, {"timestamps": [-(2**63)]},
    {"features": [None, None]},
])  # fmt: skip
def test_text_is_bytes_and_moments_are_int64(parcels: ServedModel, data: dict[str, Any]) -> None:
    asked = {tensor["name"]: [tensor["data"]] for tensor in json.loads(row(**data))["inputs"]}
    asked["features"] = np.array(asked["features"], np.float32)
    found = outputs(ask(parcels, row(**data)))
    assert np.float32(found["logits"][0]) == Predictor(DATA / "parcels").run(asked)["logits"][0, 0]


def test_a_null_is_a_missing_cell_of_any_kind(parcels: ServedModel) -> None:
    """A client whose numbers are doubles cannot write -2**63 exactly."""
    nothing = ask(parcels, row(categories=[None, None], timestamps=[None]))
    assert nothing == ask(parcels, row(categories=["", ""], timestamps=[-(2**63)]))


def test_a_null_of_a_column_leaves_the_other_cells_as_they_are() -> None:
    """As float64 the first would be another code."""
    given = RequestTensor("code", "INT64", (3,), [2**53 + 1, None, -1])
    assert tensor_array(given, keep_nulls=True).tolist() == [2**53 + 1, None, -1]
    with pytest.raises(RequestError, match="does not fit INT8"):
        tensor_array(RequestTensor("code", "INT8", (2,), [300, None]), keep_nulls=True)


def test_columns_of_every_kind(parcels: ServedModel) -> None:
    """A date may be text, as in a table; whole numbers are seconds."""
    kinds = {feature.name: feature for feature in parcels.contract.features}
    cells = {"categories": iter(["Oslo", "3"]), "features": iter([1.5, True]), "timestamps": iter([86_400])}
    wanted = ask(parcels, row(timestamps=[86_400]))["outputs"]
    order = sorted(kinds.values(), key=lambda one: (one.input, one.index))
    given = {one.name: next(cells[one.input]) for one in order}
    types = {str: "BYTES", float: "FP64", bool: "BOOL", int: "INT64"}
    moment = next(one.name for one in order if one.kind == "datetime")
    for date in (86_400, "1970-01-02", "1970-01-02T00:00:00Z"):
        sent = [{"name": name, "shape": [1, 1], "datatype": types[type(cell)], "data": [cell]}
                for name, cell in (given | {moment: date}).items()]  # fmt: skip
        assert ask(parcels, body(*sent))["outputs"] == wanted
    for name in given:
        sent = [{"name": other, "shape": [1], "datatype": types[type(cell)], "data": [None if other == name else cell]}
                for other, cell in given.items()]  # fmt: skip
        assert ask(parcels, body(*sent))["outputs"]
    seconds, text = (
        ask(parcels, body(*({"name": name, "shape": [1], "datatype": kind if name == moment else types[type(cell)],
                             "data": [None if name == moment else cell]} for name, cell in given.items())))["outputs"]
        for kind in ("INT64", "BYTES")
    )  # fmt: skip
    assert seconds == text


def test_the_rows_of_parcels_are_answered_as_recorded(parcels: ServedModel) -> None:
    types = {"float32": "FP32", "string": "BYTES", "int64": "INT64"}
    inputs = [
        {"name": name, "shape": tensor["shape"], "datatype": types[tensor["dtype"]],
         "data": list(map(int, tensor["data"])) if tensor["dtype"] == "int64" else tensor["data"]}
        for name, tensor in FACTS["inputs"].items()
    ]  # fmt: skip
    check_outputs(outputs(ask(parcels, body(*inputs))))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"categories": ["red", 3]}, "'categories' holds a number; it takes BYTES"),
        ({"categories": ["red", True]}, "'categories' holds a truth value"),
        ({"categories": ["red", "\ud800"]}, "surrogate"),
        ({"categories": ["red"]}, "it takes categories: string"),
        ({"timestamps": [0.5]}, "'timestamps' holds a number; it takes INT64"),
        ({"timestamps": ["2020-01-01"]}, "'timestamps' holds a text"),
        ({"timestamps": [2**63]}, "does not fit INT64"),
        ({"timestamps": [True]}, "'timestamps' holds a truth value"),
    ],
)
def test_bad_cells_are_refused(parcels: ServedModel, data: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError) as refused:
        parcels.infer(row(**data))
    assert words in str(refused.value) and refused.value.status == 400


@pytest.mark.parametrize("count", [1, 64, 65, 1000])
@pytest.mark.parametrize(
    ("cell", "kind"), [(True, "a truth value"), ("1", "a text"), ([1], "a list"), ({}, "an object")]
)
def test_a_cell_that_is_no_number_is_found_among_any_number_of_them(count: int, cell: Any, kind: str) -> None:
    for others in ([0.25] * count, [0, 1.0] * count):
        place = random.Random(count).randrange(1, len(others) + 1)  # a list in front says that all are lists
        data = [*others[:place], cell, *others[place:]]
        with pytest.raises(RequestError, match=f"'x' holds {kind}; it takes FP32"):
            tensor_array(RequestTensor("x", "FP32", (len(data),), data))


def test_numbers_are_rounded_to_float32_as_numpy_does() -> None:
    drawn = random.Random(0)
    data = [drawn.uniform(-1, 1) * 10 ** drawn.uniform(-46, 38) for _ in range(2000)]
    data += [0, 1, -0.0, 16_777_217, 2**64, 2**100, 1 + 2**-24, 1 + 3 * 2**-24]
    found = tensor_array(RequestTensor("x", "FP32", (len(data),), data))
    assert found.dtype == np.float32
    assert found.tobytes() == np.array(data, np.float32).tobytes()
    for large in (3.5e38, 1e300):
        beyond = tensor_array(RequestTensor("x", "FP32", (2,), [large, 1]))
        assert (beyond.dtype, beyond[0]) == (np.float64, large)


@pytest.mark.parametrize("texts", [
    ["a", "b"], ["a", "longer than the others"], ['"', "\\", "\0", "\n", "", "é", "\U0001f600"], ["x" * 100, "y"],
])  # fmt: skip
def test_texts_of_a_vocabulary_come_back_as_they_are(texts: list[str]) -> None:
    for shape in ((0,), (5,), (3, 2)):
        indices = np.random.default_rng(0).integers(0, len(texts), shape)
        expected = [texts[index] for index in indices.reshape(-1)]
        vocabulary = {"class": TextOutput(texts)}
        answer = encode_answer({}, {"class": indices}, {"class": False}, vocabulary)
        assert json.loads(answer.body)["outputs"][0]["data"] == expected
        answer = encode_answer({}, {"class": indices}, {"class": True}, vocabulary)
        counted = (len(text.encode()).to_bytes(4, "little") + text.encode() for text in expected)
        assert answer.body[answer.header_length :] == b"".join(counted)


def test_bodies_that_may_take_long_are_none_of_the_event_loops(xor: ServedModel, parcels: ServedModel) -> None:
    tensors = body(*[tensor(name=f"x{number}", shape=[1], data=[0]) for number in range(200)])
    rows = body(tensor(shape=[5000, 2], data=[0.5] * 10_000))
    for model, sent in ((xor, tensors), (xor, rows), (xor, b" " * (LARGEST + 1)), (parcels, b" " * 10_000)):
        assert not model.is_quick(sent, binary=False)
    assert not xor.is_quick(b" " * (LARGEST + 1), binary=True)
