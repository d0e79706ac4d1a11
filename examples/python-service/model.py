"""A predictor, as the Open Inference Protocol sees a model."""

import json
from time import perf_counter
from typing import Any

import numpy as np
from protocol import BYTES, Arrays, InferRequest, RequestError, parse_request, tensor_json, tensor_metadata

from parity_runtime import ConformanceError, InputError, Predictor

_MISSING = {"categorical": "", "code": "", "datetime": -(2**63)}  # what the graph takes for a missing cell
_ROW = {"string": ""}
_QUICK = 1e-3  # seconds; a thread costs a quarter of a millisecond, and holds up no one
PLATFORM = "onnx_onnxv1"
CLASS = "class"
"""An output that the graph has not: the class by its name."""


class Model:
    """A predictor's metadata and predictions, in the protocol's JSON; any number of threads may call it.

    Args:
        predictor: of a package.
        max_rows: the largest batch.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        self.name = predictor.contract.name
        self.version = predictor.package_id or ""
        self._predictor = predictor
        self._max_rows = max_rows
        self._inputs = {spec.name: spec for spec in predictor.contract.inputs}
        kinds = {feature.input: feature.kind for feature in predictor.contract.features}
        self._missing = {name: _MISSING[kind] for name, kind in kinds.items() if kind in _MISSING}
        self._names = [spec.name for spec in predictor.contract.outputs]
        self._classes = predictor.classes_.astype(str)
        self.quick = self._seconds() < _QUICK
        """Whether a row is predicted sooner than it is handed to a thread."""
        if predictor.contract.is_classifier:
            self._names.append(CLASS)

    def metadata(self) -> dict[str, Any]:
        """Return the model's inputs and outputs."""
        contract = self._predictor.contract
        outputs = [tensor_metadata(spec) for spec in contract.outputs]
        if CLASS in self._names:
            outputs.append({"name": CLASS, "datatype": BYTES, "shape": [-1]})
        inputs = [tensor_metadata(spec) for spec in contract.inputs]
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": inputs,
            "outputs": outputs,
        }

    def _seconds(self) -> float:
        """Return how long one row takes, with every other dynamic dimension 1; the first run is not counted."""
        specs = self._inputs.values()
        row = {
            spec.name: np.full(
                [s if isinstance(s, int) else 1 for s in spec.shape], _ROW.get(spec.dtype, 0), spec.numpy_dtype
            )
            for spec in specs
        }
        times = []
        for _ in range(3):
            start = perf_counter()
            self._predictor.run(row)
            times.append(perf_counter() - start)
        return min(times[1:])

    def infer(self, body: bytes) -> bytes:
        """Answer the body of an inference.

        Raises:
            RequestError: it cannot be answered.
        """
        request = parse_request(body, self._inputs, self._missing)
        names = self._names if request.outputs is None else self._known(request.outputs)
        self._check_rows(request.inputs)
        try:
            outputs = self._predictor.run(request.inputs)
        except InputError as error:
            raise RequestError(str(error)) from error
        except ConformanceError as error:  # the model's fault, whatever the rows
            raise RequestError(str(error), 500) from error
        self._check_finite(outputs)
        if CLASS in names:
            outputs[CLASS] = self._classes[outputs["label"]]
        return self._encode(request, {name: outputs[name] for name in names})

    def _known(self, names: list[str]) -> list[str]:
        unknown = [name for name in names if name not in self._names]
        if unknown:
            raise RequestError(f"there is no output {unknown[0]!r}; the model gives {', '.join(self._names)}")
        return names

    def _check_rows(self, inputs: Arrays) -> None:
        rows = max((array.shape[0] for array in inputs.values() if array.ndim), default=0)
        if rows > self._max_rows:
            raise RequestError(f"a batch of {rows} rows is more than {self._max_rows}; send it in parts", 413)

    def _check_finite(self, outputs: Arrays) -> None:
        """Refuse rows whose outputs are no numbers: a label beside them would mean nothing."""
        names = ("probabilities", "value", "embedding") if self._predictor.contract.task != "tensors" else ()
        for name in names:
            if name in outputs and not np.isfinite(outputs[name]).all():
                row = int(np.argmin(np.isfinite(outputs[name]).reshape(len(outputs[name]), -1).all(axis=1)))
                raise RequestError(f"row {row + 1}: the model computes no finite output for these numbers")

    def _encode(self, request: InferRequest, outputs: Arrays) -> bytes:
        identity = {} if request.id is None else {"id": request.id}
        tensors = [tensor_json(name, array) for name, array in outputs.items()]
        value = {"model_name": self.name, "model_version": self.version, **identity, "outputs": tensors}
        return json.dumps(value, allow_nan=False).encode()
