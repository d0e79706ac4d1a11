import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, ProviderError, predict_batches
from parity_runtime.inference.input_validation import table_inputs
from tests.refusals import refused_at

CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.fixture(scope="module")
def predictor(xor_package: Path) -> Predictor:
    return Predictor(xor_package)


def test_the_corners_are_answered_0_1_1_0(predictor: Predictor) -> None:
    assert predictor.predict(CORNERS).tolist() == [0, 1, 1, 0]
    assert predictor.classes_.tolist() == [0, 1]
    assert predictor.provider == "cpu"


def test_probabilities_and_logits_agree_with_one_another(predictor: Predictor) -> None:
    outputs = predictor.run({"features": CORNERS})
    assert outputs["probabilities"].dtype == np.float32
    assert outputs["logits"].shape == (4, 1)
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1, atol=1e-6)
    expected = 1 / (1 + np.exp(-outputs["logits"][:, 0].astype(np.float64)))
    np.testing.assert_allclose(outputs["probabilities"][:, 1], expected, atol=1e-6)
    assert (outputs["label"] == (outputs["logits"][:, 0] >= 0)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_numbers_of_any_dtype_are_converted(predictor: Predictor, dtype: type) -> None:
    assert predictor.predict(np.array(CORNERS, dtype)).tolist() == [0, 1, 1, 0]


def test_memory_layout_does_not_matter(predictor: Predictor) -> None:
    rows = np.asfortranarray(np.array(CORNERS * 2, np.float32))[::2]
    assert predictor.predict(rows).tolist() == [0, 1, 0, 1]


def test_columns_are_taken_by_name_in_any_order(predictor: Predictor) -> None:
    columns = {"x2": [0.0, 1.0], "other": ["a", "b"], "x1": [0.0, 0.0]}
    assert predictor.predict(columns).tolist() == [0, 1]


class Frame:
    """What pandas and polars have in common: columns, and a column by its name."""

    def __init__(self, **columns: list[float]) -> None:
        self._columns, self.columns = columns, list(columns)

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array(self._columns[name])


class ArrowTable(Frame):
    """What pyarrow has instead."""

    def __init__(self, **columns: list[float]) -> None:
        super().__init__(**columns)
        self.column_names, self.columns = self.columns, list(columns.values())  # type: ignore[assignment]


@pytest.mark.parametrize("kind", [Frame, ArrowTable])
def test_the_columns_of_a_data_frame_are_found_by_name(predictor: Predictor, kind: type[Frame]) -> None:
    assert predictor.predict(kind(x2=[0.0, 1.0], id=[7.0, 8.0], x1=[0.0, 0.0])).tolist() == [0, 1]
    with refused_at(column="x2"):
        predictor.predict(kind(x1=[0.0]))


def test_the_fields_of_a_structured_array_are_found_by_name(predictor: Predictor) -> None:
    rows = np.array([(0, 0), (1, 0)], [("x2", "f4"), ("x1", "i8")])
    assert predictor.predict(rows).tolist() == [0, 1]


def test_a_doubled_column_is_refused(predictor: Predictor) -> None:
    frame = Frame(x1=[0.0], x2=[0.0])
    frame.columns = ["x1", "x2", "x2"]
    with refused_at(column="x2"):
        predictor.predict(frame)


def test_no_rows_give_empty_outputs(predictor: Predictor) -> None:
    outputs = predictor.run({"features": np.zeros((0, 2), np.float32)})
    assert {name: array.shape for name, array in outputs.items()} == {
        "label": (0,), "probabilities": (0, 2), "logits": (0, 1)
    }  # fmt: skip
    assert predictor.predict(np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[1.0]], r"shape \[1, 1\].*\[batch, 2\]"),
        ([1.0, 2.0], "shape"),
        (np.zeros((1, 2, 1)), "shape"),
        ([[1.0, 2.0], [3.0]], "differ in length"),
        ([["a", "b"]], "row 1: x1 is 'a', which is text"),
        (np.array([["a", "b"]]), "holds <U1"),
        ([[1j, 2]], "complex"),
        ([[None, 1.0]], "row 1: x1 is missing"),
        ([["0", None]], "row 1: x1 is '0', which is text"),
        ([[True, False]], "bool"),
        ([[np.nan, 1.0]], "row 1: x1 is missing"),
        ([[0.0, 1.0], [1.0, -np.inf]], "row 2: x2 is -inf"),
        ([[1e39, 0.0]], "infinite in float32"),
        ({"x1": [0.0]}, "'x2' is missing"),
        ({"x1": ["a"], "x2": [0.0]}, "row 1: x1 is 'a', which is text"),
        ({"x1": [[0.0]], "x2": [0.0]}, r"the column 'x1' has the shape \[1, 1\]"),
        (np.ma.masked_array([[0.0, 1.0]], [[True, False]]), "masked array"),
        ([np.ma.masked_array([0.0, 1.0], [True, False])], "masked array"),
        ({"x1": [0.0], "x2": [0.0, 1.0]}, "differ in length: .x1. has 1 row, .x2. has 2"),
    ],
)
def test_rows_that_do_not_fit_are_refused_with_a_sentence(predictor: Predictor, rows: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        predictor.predict(rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [[[0, 1], [1, 1e39]], np.array([[0, 1], [1, 1e39]]), {"x1": [0, 1], "x2": [1, 1e39]}])
def test_a_number_beyond_float32_is_named_by_its_row_and_its_column(predictor: Predictor, rows: Any) -> None:
    for ask, first in (
        (lambda: predictor.predict(rows), 0),
        (lambda: list(predict_batches(predictor, [[[0, 1]] * 3, rows])), 3),
    ):
        with pytest.raises(InputError) as refused:
            ask()
        assert (refused.value.row, refused.value.column) == (first + 2, "x2")
        assert f"row {first + 2}: x2 is 1e+39, a finite number that is infinite in float32" in str(refused.value)


def test_a_number_that_an_integer_input_cannot_hold_is_named_by_its_place(predictor: Predictor) -> None:
    (spec,), contract = predictor.contract.inputs, predictor.contract
    whole = replace(contract, inputs=(replace(spec, dtype="int64"),))
    for rows in ([[0, 1], [0.5, 1]], {"x1": [0, 0.5], "x2": [1, 1]}):
        with refused_at(row=2, column="x1"):
            table_inputs(whole, rows)
    unnamed = replace(
        whole, task="tensors", features=(), classes=(), positive=None, threshold=None, logit_threshold=None
    )
    with pytest.raises(InputError, match=r"input 'features' holds 0.5 at \[1, 0\], a number that int64 cannot hold"):
        table_inputs(unnamed, [[0, 1], [0.5, 1]])


def test_unknown_and_missing_inputs_are_refused(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="no input 'image'"):
        predictor.run({"image": [[0, 0]]})
    with pytest.raises(InputError, match="'features' is missing"):
        predictor.run({})


@pytest.mark.parametrize("inputs", [None, np.zeros((1, 2)), [np.zeros((1, 2))], "features"])
def test_run_wants_a_mapping(predictor: Predictor, inputs: object) -> None:
    with pytest.raises(InputError, match="by name, a mapping of features"):
        predictor.run(inputs)  # type: ignore[arg-type]


def test_run_takes_the_columns_of_a_data_frame_by_name_as_well(predictor: Predictor) -> None:
    frame = Frame(x2=[0.0, 1.0], x1=[0.0, 0.0])
    assert predictor.run({"features": frame})["label"].tolist() == [0, 1]  # type: ignore[dict-item]


@pytest.mark.parametrize("rows", [[], np.zeros((0,)), {"x1": [], "x2": []}])
def test_nothing_at_all_is_no_rows(predictor: Predictor, rows: object) -> None:
    assert predictor.predict(rows).shape == (0,)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", ["2", None, 1.5, True, 0, -1, 2**31])
def test_threads_are_a_whole_number(xor_package: Path, threads: object) -> None:
    with pytest.raises(InputError, match="threads is .*; it must be a whole number"):
        Predictor(xor_package, threads=threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("digest", [123, b"x"])
def test_a_digest_is_text(xor_package: Path, digest: object) -> None:
    with pytest.raises(InputError, match="digest is"):
        Predictor(xor_package, digest=digest)  # type: ignore[arg-type]


def test_a_subclass_may_compare_by_value_and_keeps_its_attributes_in_a_pickle(xor_package: Path) -> None:
    predictor = Named(xor_package)
    predictor.note = "mine"
    assert copy.deepcopy(predictor).note == "mine"
    predictor.close()
    with pytest.raises(InputError, match="is closed"):
        copy.copy(predictor).predict([[0, 1]])


class Named(Predictor):
    note = ""
    __hash__ = None  # type: ignore[assignment]


def test_unknown_options_are_refused(xor_package: Path) -> None:
    with pytest.raises(InputError, match="unknown provider 'tpu'"):
        Predictor(xor_package, provider="tpu")  # type: ignore[arg-type]


def test_a_regression_gives_its_values_and_no_probabilities(rent_package: Path) -> None:
    predictor = Predictor(rent_package)
    assert predictor.predict([[0.7, 3, 40], [0.5, 2, 10]]).shape == (2, 2)
    assert predictor.classes_.shape == (0,)
    with pytest.raises(InputError, match="is not a classifier"):
        predictor.predict_proba([[0.7, 3, 40]])


def test_a_model_of_tensors_is_asked_with_run(series_package: Path) -> None:
    with pytest.raises(InputError, match=r"returns tensors; use run\(\)"):
        Predictor(series_package).predict(np.zeros((1, 1, 3)))


def test_cuda_means_cuda_or_an_error(xor_package: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA; the cuda tests cover it")
    with pytest.raises(ProviderError, match="no CUDA provider"):
        Predictor(xor_package, provider="cuda")
    assert Predictor(xor_package, provider="auto").provider == "cpu"
