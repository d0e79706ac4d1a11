"""Answers of onnxruntime to what Triton hands on, in the place of a backend that is in no wheel."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as utils


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        folder = Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(folder / "model.onnx")
        config = json.loads(args["model_config"])
        self.merged = config["max_batch_size"] > 0
        self.calls = Path(os.environ["CALLS"]) / config["name"]

    def execute(self, requests: list[object]) -> list[object]:
        names = [one.name for one in self.session.get_inputs()]
        inputs = [
            {name: texts(utils.get_input_tensor_by_name(one, name).as_numpy()) for name in names} for one in requests
        ]
        with self.calls.open("a") as file:
            file.write(f"{len(inputs)}\n")
        if self.merged:
            whole = {name: np.concatenate([one[name] for one in inputs]) for name in names}
            ends = np.cumsum([len(one[names[0]]) for one in inputs])[:-1]
            answers = zip(*(np.split(found, ends) for found in self.session.run(None, whole)), strict=True)
        else:
            answers = (self.session.run(None, one) for one in inputs)
        outputs = [one.name for one in self.session.get_outputs()]
        return [
            utils.InferenceResponse([utils.Tensor(*pair) for pair in zip(outputs, one, strict=True)]) for one in answers
        ]


def texts(array: "np.ndarray") -> "np.ndarray":
    """Return text as onnxruntime takes it."""
    if array.dtype != object:
        return array
    return np.array([one.decode() for one in array.reshape(-1)], object).reshape(array.shape)
