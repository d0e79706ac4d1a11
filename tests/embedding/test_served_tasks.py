"""What `parity serve` answers of models whose answers are labels, tags and vectors; tests/serving has all else."""

import json
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor

pytest.importorskip("orjson", reason="parity serve needs [serve]")

from parity_runtime.serving.served_model import ServedModel


@pytest.mark.slow
def test_labels_and_vectors_are_answered_as_they_are(task_packages: dict[str, Path]) -> None:
    for name, asked in (("multilabel", [1.0, 2.0, 3.0, 4.0]), ("tagging", [0.5] * 20), ("unit embedding", [1.0] * 4)):
        predictor = Predictor(task_packages[name])
        (spec,) = predictor.contract.inputs
        shape = [1, *spec.shape[1:]]
        wanted = predictor.run({"x": np.array(asked, np.float32).reshape(shape)})
        body = {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": asked}]}
        answer = json.loads(ServedModel(predictor, 100).infer(json.dumps(body).encode()).body)
        found = {output["name"]: output["data"] for output in answer["outputs"]}
        assert list(found) == list(wanted)
        for output, array in wanted.items():
            np.testing.assert_array_equal(np.array(found[output], array.dtype), array.reshape(-1))
