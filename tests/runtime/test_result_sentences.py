from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity_runtime import ModelContract, Package
from parity_runtime.arguments import options_are_named
from parity_runtime.contract import classifier_outputs
from parity_runtime.evaluation.baseline import ClassBaseline
from parity_runtime.evaluation.metrics import classification_metrics
from parity_runtime.evaluation.result_sentences import result_sentences
from tests.runtime.conftest import DATA

RENT, MIXED, SPECIES = (Package.open(DATA / name).contract for name in ("rent", "mixed", "species"))


def of_classes(contract: ModelContract, confusion: list[list[int]], trained: list[int] | None = None) -> dict[str, Any]:
    """Return the evaluation of a confusion, beside the baseline of some training rows."""
    counts = np.array(confusion)
    true, predicted = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    found = classification_metrics(true, predicted, np.eye(len(counts))[predicted])
    if trained:
        found["baseline"] = ClassBaseline(contract.classes, np.array(trained)).metrics(counts.sum(axis=1))
    return found


@pytest.mark.parametrize(
    ("confusion", "trained", "words"),
    [
        ([[1167, 0], [33, 0]], [97, 3],
         "97.25% of 1200 rows are right, no better than always saying no: 97.25%; recall of yes: 0.00%"),
        ([[60, 20], [20, 0]], [8, 2], "60.00% of 100 rows are right, no better than always saying no: 80.00%; "
         "recall of yes: 0.00%"),
        ([[89, 1], [5, 5]], [9, 1], "94.00% of 100 rows are right; always saying no: 90.00%; recall of yes: 50.00%"),
        ([[5, 5], [80, 10]], [9, 1], "15.00% of 100 rows are right; always saying no: 10.00%; recall of no: 50.00%"),
        ([[40, 10], [5, 45]], [5, 5], "85.00% of 100 rows are right; always saying no: 50.00%"),
        ([[89, 1], [5, 5]], None, "94.00% of 100 rows are right; recall of yes: 50.00%"),
        ([[12, 0], [0, 0]], [9, 1],
         "100.00% of 12 rows are right, no better than always saying no: 100.00%; no row is yes"),
        ([[1, 0], [0, 0]], [9, 1],
         "100.00% of 1 row is right, no better than always saying no: 100.00%; no row is yes"),
    ],
)  # fmt: skip
def test_a_classifier_is_beside_the_most_frequent_class_where_that_says_something(
    confusion: list[list[int]], trained: list[int] | None, words: str
) -> None:
    assert result_sentences(MIXED, of_classes(MIXED, confusion, trained)) == [words]


def test_of_many_classes_the_worst_are_named() -> None:
    contract = replace(SPECIES, classes=tuple("abcdefgh"), outputs=classifier_outputs(8))
    confusion = np.diag([90, 1, 1, 1, 1, 1, 1, 1])
    for index in range(1, 6):
        confusion[index, 0] = index
    words = result_sentences(contract, of_classes(contract, confusion.tolist()))[0]
    assert words.endswith("; lowest recall of f: 16.67%, of e: 20.00%, of d: 25.00%, of c: 33.33%, of b: 50.00%")


@pytest.mark.parametrize(
    ("objective", "found", "words"),
    [
        (None, {}, "RMSE 4.212 and R2 0.8100 on 120 held-out rows; always predicting the training mean 51.3: RMSE 9.7"),
        (None, {"rmse": 9.7}, "RMSE 9.7 and R2 0.8100 on 120 held-out rows, no better than always predicting the "
         "training mean 51.3: RMSE 9.7"),
        (None, {"baseline": None}, "RMSE 4.212 and R2 0.8100 on 120 held-out rows"),
        (None, {"rmse": 63514.6, "baseline": None}, "RMSE 63515 and R2 0.8100 on 120 held-out rows"),
        ("huber", {"baseline": {"name": "median", "predicts": 50, "mae": 8.0}},
         "MAE 3 and R2 0.8100 on 120 held-out rows; always predicting the training median 50: MAE 8"),
        ("quantile 0.9", {"baseline": {"name": "quantile 0.9", "predicts": 70.0, "pinball_loss": 0.25}},
         "pinball loss 0.5 on 120 held-out rows, no better than always predicting the training quantile 0.9, 70: "
         "pinball loss 0.25"),
        ("poisson", {"baseline": {"name": "mean", "predicts": 2.5, "poisson_deviance": 3.0}},
         "Poisson deviance 2 on 120 held-out rows; always predicting the training mean 2.5: Poisson deviance 3"),
        ("poisson", {"poisson_deviance": None}, "RMSE 4.212 and R2 0.8100 on 120 held-out rows; always predicting the "
         "training mean 51.3: RMSE 9.7"),
        (None, {"baseline": {"name": "last value", "rmse": 2.0}},
         "RMSE 4.212 and R2 0.8100 on 120 held-out rows, no better than predicting the row before: RMSE 2"),
        (None, {"targets": {"cold": {}, "warm": {}}, "baseline": {"name": "mean", "rmse": 9.0, "targets": {}}},
         "RMSE 4.212 and R2 0.8100 on 120 held-out rows, on average over 2 targets; always predicting the training "
         "mean of each: RMSE 9"),
    ],
)  # fmt: skip
def test_a_regression_is_beside_the_constant_by_what_it_minimizes(
    objective: str | None, found: dict[str, Any], words: str
) -> None:
    evaluation: dict[str, Any] = {
        "part": "test", "rows": 120, "rmse": 4.2123, "mae": 3.0, "r2": 0.81, "pinball_loss": 0.5,
        "poisson_deviance": 2.0, "baseline": {"name": "mean", "predicts": 51.3, "rmse": 9.7, "mae": 8.0},
    }  # fmt: skip
    assert result_sentences(replace(RENT, objective=objective), evaluation | found) == [words]


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            {"epochs": 200, "best_epoch": 200, "by": "epochs"},
            [" while the validation loss was still falling; more --epochs may do better"],
        ),
        (
            {"epochs": 200, "best_epoch": 199, "by": "epochs"},
            ["; the smallest validation loss was that of epoch 199, which is kept"],
        ),
        ({"epochs": 200, "best_epoch": 200, "by": "patience"}, []),
        ({"epochs": 200, "best_epoch": None, "by": "epochs"}, []),
        (None, []),
    ],
)
def test_a_training_that_its_limit_ended_says_so(ended: dict[str, Any] | None, said: list[str]) -> None:
    found = of_classes(MIXED, [[5, 0], [0, 5]], [5, 5]) | {"ended": ended}
    with options_are_named():
        lines = result_sentences(MIXED, found)[1:]
    assert lines == [f"training ended at its limit of 200 epochs{text}" for text in said]


def test_folds_of_a_regression_name_its_measure_as_the_sentence_does() -> None:
    found = {"part": "test", "rows": 9, "poisson_deviance": 2.0, "folds": {"count": 3, "metrics": {
        "poisson_deviance": {"mean": 2.5, "std": 0.5}}}}  # fmt: skip
    said = result_sentences(replace(RENT, objective="poisson"), found)
    assert said[1] == "over 3 folds: Poisson deviance 2.5, standard deviation 0.5"


def test_folds_and_a_threshold_have_a_line_each() -> None:
    folds = {"count": 5, "metrics": {"accuracy": {"mean": 0.91, "std": 0.021}}}
    threshold = {"goal": "recall=0.9", "value": 0.25, "precision": 0.5, "recall": 0.93}
    found = of_classes(MIXED, [[5, 0], [0, 5]], [5, 5]) | {"folds": folds, "threshold": threshold}
    assert result_sentences(MIXED, found)[1:] == [
        "over 5 folds: accuracy 91.00%, standard deviation 2.10%",
        "threshold 0.25, for recall=0.9: on the validation rows precision 50.00%, recall 93.00%",
    ]


def test_a_threshold_that_gives_accuracy_up_for_its_goal_is_no_failure() -> None:
    threshold = {"goal": "recall=0.9", "value": 0.25, "precision": 0.5, "recall": 0.93}
    found = of_classes(MIXED, [[5, 5], [0, 2]], [10, 2]) | {"threshold": threshold}
    assert "no better" not in result_sentences(MIXED, found)[0]
