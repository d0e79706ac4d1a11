import json
from dataclasses import replace

import pytest

from parity_runtime import Feature, FormatError, InputError, ModelContract, TensorSpec, Tolerance
from parity_runtime.contract import binary_logit_threshold, classifier_outputs
from parity_runtime.package.summary import summarize

FEATURES = TensorSpec("features", "float32", ("batch", 2))


def binary_contract() -> ModelContract:
    return ModelContract(
        name="m",
        task="binary",
        inputs=(FEATURES,),
        outputs=classifier_outputs(2),
        features=(Feature("a", "features", 0, low=-1.0, high=2.5), Feature("b", "features", 1, missing="impute")),
        targets=("y",),
        classes=("no", "yes"),
        positive="yes",
        threshold=0.3,
        logit_threshold=binary_logit_threshold(0.3),
        row_independent=True,
        graphs={"default": "model.onnx"},
        tolerance={"logits": Tolerance(1e-6, 1e-5, 2e-5, "a test")},
        min_onnxruntime="1.18",
        provenance={"weights": "ab", "seed": 1},
    )


def test_a_contract_survives_json() -> None:
    contract = binary_contract()
    assert ModelContract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


def test_an_output_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"has no output 'logit'; it has label, probabilities, logits$"):
        binary_contract().output("logit")


def test_unknown_keys_are_ignored() -> None:
    value = binary_contract().to_json() | {"color": "red"}
    value["inputs"][0]["color"] = value["features"][0]["color"] = "red"
    assert ModelContract.from_json(value) == binary_contract()


def test_a_newer_format_is_refused_with_a_sentence() -> None:
    with pytest.raises(FormatError, match=r"parity/3.*install a newer one"):
        ModelContract.from_json(binary_contract().to_json() | {"format": "parity/3"})


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("format", None, "not written by Parity"),
        ("task", "guess", "unknown task"),
        ("name", 3, "'name' is 3"),
        ("classes", ["no"], "two classes"),
        ("classes", ["yes", "yes"], "repeat"),
        ("classes", ["no", 1], "all text or all integers"),
        ("positive", "no", "second class"),
        ("threshold", None, "threshold"),
        ("threshold", 1.5, "strictly between"),
        ("logit_threshold", 0.0, "float32 logit"),
        ("row_independent", "yes", "row_independent"),
        ("inputs", [], "at least one"),
        ("inputs", [{"name": "x"}], "a tensor is written as"),
        ("outputs", [{"name": "x", "dtype": "complex64", "shape": []}], "complex64"),
        (
            "features",
            [{"name": "a", "input": "features", "index": 7, "dtype": "float32", "missing": "refuse"}],
            "column",
        ),
        ("tolerance", {"logits": {"rtol": -1, "atol": 0, "floor": 0}}, "tolerance"),
        ("graphs", {"default": 3}, "not text"),
    ],
)
def test_a_contradiction_is_refused(key: str, value: object, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        ModelContract.from_json(binary_contract().to_json() | {key: value})


@pytest.mark.parametrize("key", sorted(binary_contract().to_json()))
def test_a_missing_key_is_refused_unless_it_may_be_null(key: str) -> None:
    value = binary_contract().to_json()
    del value[key]
    if key in ("row_independent", "min_onnxruntime"):
        assert ModelContract.from_json(value) == replace(binary_contract(), **{key: None})
    else:
        with pytest.raises(FormatError):
            ModelContract.from_json(value)


@pytest.mark.parametrize(("threshold", "logit"), [(0.5, 0.0), (0.25, -1.0986123085021973)])
def test_the_logit_threshold_is_the_float32_logit_of_the_probability(threshold: float, logit: float) -> None:
    assert binary_logit_threshold(threshold) == logit


@pytest.mark.parametrize("text", ["image: float32[batch, 3, 32, 32]", "x: int64[]", "x.y: bool[batch, time]"])
def test_a_tensor_reads_back_what_it_prints(text: str) -> None:
    assert str(TensorSpec.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "x", "x: float32", "x: float32[-1]", "x: complex64[2]", "x: float32[2,,3]", "3: float32[2]"]
)
def test_text_that_is_no_tensor_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        TensorSpec.parse(text)


def regression(objective: str | None) -> ModelContract:
    value = TensorSpec("value", "float32", ("batch", 1))
    return ModelContract("m", "regression", (FEATURES,), (value,), targets=("y",), objective=objective)


@pytest.mark.parametrize("objective", ["median", "huber", "poisson", "quantile 0.9", None])
def test_an_objective_survives_json_and_the_mean_needs_no_word(objective: str | None) -> None:
    contract = regression(objective)
    value = json.loads(json.dumps(contract.to_json()))
    assert ModelContract.from_json(value) == contract and ("objective" in value) == (objective is not None)
    assert ModelContract.from_json(value | {"objective": "mean"}) == regression(None)


@pytest.mark.parametrize("objective", ["mode", "quantile 2", 3, ["median"]])
def test_what_is_no_objective_is_refused(objective: object) -> None:
    with pytest.raises(FormatError, match="objective"):
        ModelContract.from_json(regression(None).to_json() | {"objective": objective})


def test_classes_have_no_objective() -> None:
    with pytest.raises(FormatError, match="is for a regression; the task is binary"):
        replace(binary_contract(), objective="median")


def test_a_wide_table_is_told_by_its_first_columns() -> None:
    inputs = (TensorSpec("features", "float32", ("batch", 150)),)
    features = tuple(Feature(f"c{place}", "features", place) for place in range(150))
    lines = summarize(replace(regression(None), inputs=inputs, features=features))
    assert sum(line.startswith("feature ") for line in lines) == 100
    assert "            and 50 more features, which contract.json lists" in lines
