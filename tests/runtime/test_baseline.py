import pickle

import numpy as np
import pytest

from parity_runtime.evaluation.baseline import ClassBaseline, ValueBaseline
from parity_runtime.evaluation.metrics import classification_metrics, regression_metrics
from parity_runtime.objective import constant_name, training_constant

SAME = 1e-12
"""How far a closed form may be from the sum over the rows."""


@pytest.mark.parametrize(
    ("trained", "rows"),
    [
        ([90, 10], [40, 10]),
        ([10, 90], [40, 10]),
        ([5, 5], [3, 4]),
        ([90, 10], [7, 0]),
        ([90, 10], [0, 7]),
        ([4, 0], [3, 2]),
        ([2, 5, 3], [6, 1, 2]),
        ([2, 5, 0, 1], [0, 4, 2, 2]),
    ],
)
def test_the_most_frequent_class_has_the_metrics_of_a_model_that_always_says_it(
    trained: list[int], rows: list[int]
) -> None:
    counts = np.array(trained)
    true = np.repeat(np.arange(len(rows)), rows)
    probabilities = np.tile(counts / counts.sum(), (len(true), 1))
    wanted = classification_metrics(true, np.full(len(true), counts.argmax()), probabilities)
    found = ClassBaseline(tuple(f"class {index}" for index in range(len(rows))), counts).metrics(np.array(rows))
    assert (found.pop("name"), found.pop("predicts")) == ("most frequent class", f"class {counts.argmax()}")
    del wanted["confusion"]
    unknown = {name for name, value in wanted.items() if value is None}
    assert unknown == {name for name, value in found.items() if value is None}
    known = [name for name in wanted if name not in unknown]
    assert [found[name] for name in known] == pytest.approx([wanted[name] for name in known], rel=SAME, abs=SAME)
    assert found.keys() == wanted.keys() and (0 in rows) == ("roc_auc" in unknown)


@pytest.mark.parametrize("objective", [None, "median", "quantile 0.9", "poisson"])
def test_a_constant_has_the_metrics_of_a_model_that_always_says_it(objective: str | None) -> None:
    true = np.random.default_rng(0).poisson(3, 100).astype(np.float32)
    parts = [ValueBaseline(objective, {"count": 2.5}) for _ in range(3)]
    for part, rows in zip(parts, np.split(true, [1, 40]), strict=True):
        part.update(rows)
    for part in parts[:2]:
        parts[2].merge(pickle.loads(pickle.dumps(part)))
    found = parts[2].result()
    assert (found.pop("name"), found.pop("predicts")) == (constant_name(objective), 2.5)
    assert found == regression_metrics(true, np.full(100, 2.5), objective)


def test_several_targets_have_a_constant_each() -> None:
    baseline = ValueBaseline(None, {"a": 1.0, "b": 10.0})
    baseline.update(np.array([[1.0, 12.0], [3.0, 8.0]]))
    found = baseline.result()
    assert (found["name"], found["mae"], found["rows"]) == ("mean", 1.5, 2)
    assert [found["targets"][name]["predicts"] for name in "ab"] == [1.0, 10.0]
    assert [found["targets"][name]["mae"] for name in "ab"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("objective", "name", "constant"),
    [
        (None, "mean", 5.0), ("poisson", "mean", 5.0), ("median", "median", 3.0), ("huber", "median", 3.0),
        ("quantile 0.9", "quantile 0.9", 8.0), ("quantile 0.1", "quantile 0.1", None),
    ],
)  # fmt: skip
def test_the_constant_is_what_the_objective_would_predict(
    objective: str | None, name: str, constant: float | None
) -> None:
    assert constant_name(objective) == name
    assert training_constant(objective, 5.0, {0.5: 3.0, 0.9: 8.0}) == constant
