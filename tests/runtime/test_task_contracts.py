"""Contracts of multilabel classifiers, taggers, embeddings and language models: what they say, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from parity_runtime import FormatError, InputError, ModelContract, TensorSpec
from parity_runtime.contract import Task, added_columns, certified_contract, label_count
from parity_runtime.errors import ConformanceError
from parity_runtime.evaluation.evaluate import check_targets
from parity_runtime.inference.output_validation import check_labels
from parity_runtime.package.summary import summarize
from parity_runtime.scoring.prediction_columns import prediction_columns, prediction_names
from parity_runtime.tasks import TASKS, binary_logit_threshold, decision_outputs, no_certified_graph

ROW = (TensorSpec("x", "float32", ("batch", 4)),)
IDS = (TensorSpec("ids", "int64", ("batch", "time")),)


def contract_of(task: Task) -> ModelContract:
    match task:
        case "multilabel":
            thresholds = (0.3, 0.5)
            logits = tuple(map(binary_logit_threshold, thresholds))
            return ModelContract("m", task, ROW, decision_outputs(task, ("batch", 2)), classes=("cat", "dog"),
                                 thresholds=thresholds, logit_thresholds=logits)  # fmt: skip
        case "tagging":
            return ModelContract("m", task, IDS, decision_outputs(task, ("batch", "time", 2)), classes=("noun", "verb"))
        case "language_model":
            return ModelContract("m", task, IDS, decision_outputs(task, ("batch", "time", 50)))
    outputs = (TensorSpec("embedding", "float32", ("batch", 3)),)
    return ModelContract("m", task, ROW, outputs, unit_norm=True)


NEW = ("multilabel", "tagging", "language_model", "embedding")


@pytest.mark.parametrize("task", NEW)
def test_a_contract_survives_json(task: Task) -> None:
    contract = contract_of(task)
    value = json.loads(json.dumps(contract.to_json()))
    assert ModelContract.from_json(value) == contract
    assert (contract.is_classifier, contract.decision is None) == (False, task == "embedding")


def test_keys_of_one_task_stand_in_no_other_ones_file() -> None:
    """Packages of the other tasks keep their bytes."""
    keys = {task: set(contract_of(task).to_json()) for task in NEW}
    common = set.intersection(*keys.values())
    assert keys["multilabel"] - common == {"thresholds", "logit_thresholds"}
    assert keys["embedding"] - common == {"unit_norm"}
    assert keys["tagging"] == keys["language_model"] == common


@pytest.mark.parametrize(
    ("task", "change", "reason"),
    [
        ("multilabel", {"thresholds": (0.3,)}, "one for each of 2 classes; found 1 and 2"),
        ("multilabel", {"logit_thresholds": (0.0, 0.0)}, "the float32 logit of the threshold 0.3 is -0.847"),
        ("multilabel", {"classes": ()}, "at least 1 class"),
        ("multilabel", {"outputs": decision_outputs("tagging", ("batch", "time", 2))}, "gives labels: bool"),
        ("multilabel", {"outputs": decision_outputs("multilabel", ("batch", 3))}, r"labels: bool\[batch, 2\]"),
        ("tagging", {"classes": ("noun",)}, "at least 2 classes"),
        ("tagging", {"thresholds": (0.5, 0.5)}, "thresholds are for the task multilabel"),
        (
            "tagging",
            {"outputs": decision_outputs("tagging", ("batch", "time", 3))},
            r"probabilities: float32\[batch, t",
        ),
        ("language_model", {"classes": ("a", "b")}, "has no classes"),
        ("language_model", {"outputs": decision_outputs("language_model", ("batch", 50))}, "gives tokens"),
        ("embedding", {"outputs": (TensorSpec("embedding", "float32", ("batch",)),)}, r"\[batch, any size\]"),
        ("embedding", {"outputs": (TensorSpec("vector", "float32", ("batch", 3)),)}, "found none"),
    ],
)
def test_a_contradiction_is_refused(task: Task, change: dict, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        replace(contract_of(task), **change)


@pytest.mark.parametrize(
    ("key", "value"), [("thresholds", 3), ("thresholds", [True, 1]), ("unit_norm", "yes"), ("logit_thresholds", ["a"])]
)
def test_a_key_of_another_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(FormatError, match=key):
        ModelContract.from_json(contract_of("multilabel").to_json() | {key: value})


@pytest.mark.parametrize("task", NEW)
def test_no_error_bounds_and_no_column_of_truths_go_with_the_task(task: Task) -> None:
    with pytest.raises(FormatError, match=f"the task {task}"):
        certified_contract(contract_of(task))
    with pytest.raises(InputError, match=f"the task {task}"):
        check_targets(contract_of(task), "y")
    assert "export it" not in no_certified_graph("m", task) and "export it" in no_certified_graph("m", "binary")


def test_what_is_added_to_a_table() -> None:
    outputs = {"labels": np.array([[True, False]]), "probabilities": np.array([[0.4, 0.2]], np.float32)}
    columns = prediction_columns(contract_of("multilabel"), outputs)
    found = {column.name: column.values.tolist() for column in columns}
    assert {**found, "probability_cat": 0, "probability_dog": 0} == {
        "label_cat": [True], "label_dog": [False], "probability_cat": 0, "probability_dog": 0
    }  # fmt: skip
    vectors = prediction_columns(contract_of("embedding"), {"embedding": np.eye(3, dtype=np.float32)[:1]})
    assert [(column.name, column.values.tolist()) for column in vectors] == [
        ("embedding_1", [1.0]), ("embedding_2", [0.0]), ("embedding_3", [0.0])
    ]  # fmt: skip
    assert added_columns(contract_of("tagging")) == []


@pytest.mark.parametrize("task", ["tagging", "language_model"])
def test_answers_that_are_no_columns_are_refused_with_the_way_out(task: Task) -> None:
    with pytest.raises(InputError, match=r"one for each position of a sequence.*Predictor\.predict from Python"):
        prediction_names(contract_of(task), certified=False)


@pytest.mark.parametrize(
    ("task", "words"), [("tagging", "the tag 2, .* 2 classes"), ("language_model", "the token 50, .* 50 tokens")]
)  # fmt: skip
@pytest.mark.parametrize("length", [1, 5, 40])
def test_an_index_that_the_contract_has_not_is_refused(task: Task, words: str, length: int) -> None:
    contract = contract_of(task)
    indices = np.zeros((2, length), np.int64)
    check_labels(contract, indices)
    indices[-1, -1] = label_count(contract)
    with pytest.raises(ConformanceError, match=words):
        check_labels(contract, indices)


def test_what_a_person_reads() -> None:
    lines = "\n".join(summarize(contract_of("multilabel")))
    assert "labels      cat from probability 0.3 on, dog from probability 0.5 on" in lines
    assert "vectors     of the length 1" in summarize(contract_of("embedding"))
    assert repr(contract_of("tagging")) == "ModelContract('m', tagging, 1 input, 2 classes)"


def test_every_task_is_known_by_its_name() -> None:
    assert set(TASKS) == {"binary", "multiclass", "regression", "tensors", *NEW}
