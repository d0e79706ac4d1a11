"""`predict_batches`: batches in, predictions out, in order."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, predict_batches
from tests.refusals import refused_at

ROWS = 1000
POINTS = np.random.default_rng(3).uniform(-0.5, 1.5, (ROWS, 2)).astype(np.float32)


def test_a_stream_answers_batches_in_order(xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    whole = predictor.run({"features": POINTS})
    for threads, size in itertools.product((1, 3), (1, 64, 999)):
        batches = (POINTS[start : start + size] for start in range(0, ROWS, size))
        found = list(predict_batches(predictor, batches, threads=threads))
        assert len(found) == -(-ROWS // size)
        for name in ("label", "probabilities", "logits"):
            assert (np.concatenate([outputs[name] for outputs in found]) == whole[name]).all()


def test_a_stream_is_lazy_and_names_the_batch_that_it_cannot_answer(xor_package: Path) -> None:
    predictor, taken = Predictor(xor_package), []

    def endless():  # type: ignore[no-untyped-def]
        for number in itertools.count():
            taken.append(number)
            yield [[number % 2, 0]]

    answers = predict_batches(predictor, endless(), threads=2)
    assert [next(answers)["label"][0] for _ in range(4)] == [0, 1, 0, 1]
    assert len(taken) <= 4 + 3
    with pytest.raises(InputError, match="not rows|shape"):
        list(predict_batches(predictor, [[[1, 2, 3]]]))
    with pytest.raises(InputError, match="threads is 0"):
        predict_batches(predictor, [], threads=0)


def test_a_stream_of_record_batches_has_the_commands_columns(xor_package: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    batch = pyarrow.RecordBatch.from_pydict({"id": ["a", "b"], "x2": [0, 1], "x1": [1.0, 1.0]})
    (found,) = predict_batches(Predictor(xor_package), [batch])
    assert found.schema.names == ["id", "x2", "x1", "label", "probability_0", "probability_1"]
    assert found.column("label").to_pylist() == [1, 0]
    with refused_at(path="batch 2", row=3, column="x2"):
        list(
            predict_batches(
                Predictor(xor_package), [batch, pyarrow.RecordBatch.from_pydict({"x1": [1.0], "x2": [None]})]
            )
        )
