"""What a graph refuses while it runs: one line that says which input or row it is, whoever asks."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

from parity_export import Adoption, ExportOptions, adopt_package
from parity_export.sources.output_spec import OutputSpec
from parity_runtime import InputError, Predictor, predict_batches
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.worker_predictor import WorkerPredictor
from tests.export.onnx_files import parsed, saved
from tests.serving.conftest import serving

LOOKUP = """lookup (int64[N, 3] ids, int64[N, 1] kind) => (float[N, 3] y)
    <float[6] first = {1, 2, 3, 4, 5, 6}, float[3] second = {1, 2, 3}> {
    a = Gather (first, ids) b = Gather (second, kind) y = Add (a, b) }"""
WORDS = (
    """words (int64[N, 2] ids) => (float[N, 2] y) <float[6] table = {1, 2, 3, 4, 5, 6}> { y = Gather (table, ids) }"""
)
PICK = "pick (float[N, 5] x, int64[N, 2] i) => (float[N, 2] y) { y = GatherElements <axis = 1> (x, i) }"
CODES = """codes (float[N, 2] x) => (float[N, 2] scores)
    <int64[1] zero = {0}, int64[1] one = {1}, float[4, 2] table = {1, 2, 2, 1, 0, 3, 3, 0}> {
    c = Slice (x, zero, one, one) i = Cast <to = 7> (c) j = Squeeze (i, one) scores = Gather (table, j) }"""
CODES_ARE = Adoption(
    inputs=["x: float32[N, 2] in 0..3"],
    output_spec=OutputSpec("multiclass", "scores=logits", ("a", "b"), features=("code", "size")),
)
LOOKED_UP = "code is 50, and codes looks 50 up in a table that has 0 to 3"


def adopted(folder: Path, graph: str, meaning: Adoption | None = None) -> Path:
    path = saved(parsed(graph), folder / f"{graph.split(maxsplit=1)[0]}.onnx")
    return adopt_package(path, path.with_suffix(""), meaning, ExportOptions(plots=False, effort="quick")).path


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models that look integers up, and a classifier of a table with a column of codes."""
    folder = tmp_path_factory.mktemp("run_errors")
    made = {graph.split(maxsplit=1)[0]: adopted(folder, graph) for graph in (LOOKUP, WORDS, PICK)}
    return made | {"codes": adopted(folder, CODES, CODES_ARE)}


def lookup_inputs(**changed: Any) -> dict[str, np.ndarray]:
    given = {"ids": np.zeros((2, 3), np.int64), "kind": np.zeros((2, 1), np.int64)}
    for name, value in changed.items():
        given[name][1, -1] = value
    return given


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ids": 50}, "input 'ids' holds 50 at [1, 2], and lookup looks 50 up in a table that has 0 to 5; it takes "
         "ids: int64[N, 3] in 0..5"),
        ({"kind": -4}, "input 'kind' holds -4 at [1, 0], and lookup looks -4 up in a table that has 0 to 2; it takes "
         "kind: int64[N, 1] in 0..2"),
        ({"ids": 50, "kind": 50}, "input 'ids' holds 50 at [1, 2] and input 'kind' holds 50 at [1, 0], and "),
    ],
)  # fmt: skip
def test_an_index_out_of_range_is_named_by_its_input_and_place(
    packages: dict[str, Path], changed: dict[str, int], told: str
) -> None:
    predictor, given = Predictor(packages["lookup"]), lookup_inputs(**changed)
    ways: list[Any] = [
        predictor.run,
        predictor.run_on_device,
        lambda inputs: list(predict_batches(predictor, [inputs])),
    ]
    for way in ways:
        with pytest.raises(InputError) as error:
            way(given)
        assert told in str(error.value)


def test_an_index_out_of_range_is_named_where_buffers_are_bound(packages: dict[str, Path]) -> None:
    predictor, ids = Predictor(packages["words"]), np.full((2, 2), 5)
    for _ in range(3):  # bound from the second time on
        assert predictor.run({"ids": ids})["y"].tolist() == [[6, 6], [6, 6]]
        with pytest.raises(InputError, match=r"^input 'ids' holds 6 at \[1, 0\], and words looks 6 up"):
            predictor.run({"ids": ids + np.array([[0, 0], [1, 0]])})


def test_what_else_a_graph_cannot_run_is_told_with_the_shapes_and_what_it_takes(packages: dict[str, Path]) -> None:
    given = {"x": np.zeros((1, 5), np.float32), "i": np.array([[0, 9]])}
    with pytest.raises(InputError) as error:
        Predictor(packages["pick"]).run(given)
    told = str(error.value)
    assert told.startswith("onnxruntime cannot run pick on x [1, 5], i [1, 2]: GatherElements: ")
    assert told.endswith("; it takes x: float32[N, 5], i: int64[N, 2] in 0..4")
    assert all(words not in told for words in ("ONNXRuntimeError", "status code", "Status Message", ".cc:", "::"))


@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_the_rows_of_a_table_that_a_graph_refuses_are_found(packages: dict[str, Path], rows: int) -> None:
    predictor, table = Predictor(packages["codes"]), np.ones((rows, 2), np.float32)
    assert predictor.predict(table).tolist() == ["a"] * rows
    refused = sorted({rows - 1, rows // 2})
    table[refused, 0] = 50
    for predict in (predictor.predict, predictor.predict_proba, lambda given: predictor.run({"x": given})):
        with pytest.raises(InputError) as error:
            predict(table)
        assert str(error.value) == f"row {refused[0] + 1}: {LOOKED_UP}" and error.value.column == "code"
        assert [each.row for each in error.value.of_each_row()] == [row + 1 for row in refused]


@pytest.mark.parametrize("errors", ["skip", "null"])
def test_rows_that_a_graph_refuses_are_left_out_or_without_an_answer(
    packages: dict[str, Path], errors: Any, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [[1, 0], [50, 1], [float("inf"), 1], [2, 2], [-60, 0]]
    (answers,) = predict_batches(Predictor(packages["codes"]), [batch], errors=errors)
    labels = [None if label is np.ma.masked else int(label) for label in answers["label"]]
    assert labels == {"skip": [0, 1], "null": [0, None, None, 1, None]}[errors]
    assert f"3 rows were left {'out' if errors == 'skip' else 'without a prediction'}" in caplog.text
    assert f"batch 1, row 2: {LOOKED_UP}" in caplog.text
    scorer = BatchScorer(WorkerPredictor.of(packages["codes"]), errors=errors)
    columns = pyarrow.RecordBatch.from_pydict({"code": [1.0, 50.0, 2.0], "size": [0.0, 0.0, 0.0]})
    (part,) = scorer.answers([columns], "partition 1")
    assert part["label"].to_pylist() == {"skip": ["a", "b"], "null": ["a", None, "b"]}[errors]
    with pytest.raises(InputError, match=f"^partition 1, row 2: {LOOKED_UP}"):
        list(BatchScorer(scorer.worker).answers([columns], "partition 1"))


def test_commands_name_the_file_and_the_row(packages: dict[str, Path], parity: Any, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("code,size,true\n1,0,a\n50,0,a\n2,0,b\n")
    for arguments in (("predict",), ("evaluate", "--target", "true")):
        told = parity(arguments[0], packages["codes"], table, *arguments[1:])
        assert (told.code, told.err) == (1, f"parity: {table}, row 2: {LOOKED_UP}\n")
    table.write_text("code,size\n50,0\n-7,1\n")
    assert parity("predict", packages["codes"], table, "--errors", "skip").out.count("\n") == 1  # the header
    table.write_text("code,size\n1,0\n50,0\n,1\n2,0\n")
    skipped = parity("predict", packages["codes"], table, "--errors", "skip")
    assert skipped.code == 0 and len(skipped.out.splitlines()) == 3 and LOOKED_UP in skipped.err


@pytest.mark.slow
def test_a_service_answers_400_with_the_line(packages: dict[str, Path]) -> None:
    pytest.importorskip("httpx")
    with serving(packages["lookup"], packages["pick"], packages["codes"]) as service:
        for name, tensors, told in (
            ("lookup", lookup_inputs(ids=50), "input 'ids' holds 50 at [1, 2], and lookup looks 50 up in a table"),
            (
                "pick",
                {"x": np.zeros((1, 5), np.float32), "i": np.array([[0, 9]])},
                "onnxruntime cannot run pick on x [1, 5], i [1, 2]: GatherElements: ",
            ),
            ("codes", {"x": np.full((2, 2), 50, np.float32)}, f"row 1: {LOOKED_UP}"),
        ):
            inputs = [{"name": key, "datatype": "INT64" if value.dtype.kind == "i" else "FP32", "shape": value.shape,
                       "data": value.ravel().tolist()} for key, value in tensors.items()]  # fmt: skip
            answer = service.client.post(f"/v2/models/{name}/infer", json={"inputs": inputs})
            assert answer.status_code == 400 and answer.json()["error"].startswith(told), answer.text
