"""A predictor, as the Open Inference Protocol sees a model."""

from typing import Any

from parity_runtime.contract import ModelContract
from parity_runtime.errors import ConformanceError, InputError
from parity_runtime.inference.output_validation import check_finite
from parity_runtime.inference.predictor import Predictor
from parity_runtime.printable import shown
from parity_runtime.serving.datatypes import BYTES, DATATYPES
from parity_runtime.serving.infer_answer import InferAnswer, TextOutput, encode_answer
from parity_runtime.serving.infer_request import MOST_CONTAINERS, InferRequest, parse_request
from parity_runtime.serving.model_inputs import ModelInputs
from parity_runtime.serving.quick_bodies import QuickBodies
from parity_runtime.serving.request_error import RequestError
from parity_runtime.tensor_spec import TensorSpec

_FINITE = ("probabilities", "value", "embedding")  # beside others a label would mean nothing
PLATFORM = "onnx_onnxv1"
CLASS = "class"
"""An output that the graph has not: the class by its name."""


class ServedModel:
    """A predictor's metadata and predictions, in the protocol's form; any number of threads may call it.

    Args:
        predictor: of a package.
        max_rows: the largest batch.

    Attributes:
        name: of the model.
        version: the package's id.
        contract: of the model.
        max_rows: as given.
    """

    def __init__(self, predictor: Predictor, max_rows: int) -> None:
        self.contract: ModelContract = predictor.contract
        self.name, self.version = self.contract.name, predictor.package_id or ""
        self._predictor, self.max_rows = predictor, max_rows
        self._most_containers = max(MOST_CONTAINERS, 2 * max_rows)  # rows may be lists
        self._inputs = ModelInputs(self.contract, max_rows)
        self._names = [spec.name for spec in self.contract.outputs]
        self._texts: dict[str, TextOutput] = {}
        if self.contract.is_classifier:
            self._names.append(CLASS)
            self._texts[CLASS] = TextOutput(predictor.classes_.astype(str).tolist())
        names = () if self.contract.task == "tensors" else _FINITE
        self._finite = [name for name in self._names if name in names]
        self._head = {"model_name": self.name, "model_version": self.version}
        self._quick = QuickBodies(self.contract, max_rows, self.infer)

    def metadata(self) -> dict[str, Any]:
        """Return the model's inputs and outputs."""
        outputs = [tensor_metadata(spec) for spec in self.contract.outputs]
        if CLASS in self._texts:
            label = tensor_metadata(self.contract.output("label"))
            outputs.append({**label, "name": CLASS, "datatype": BYTES})
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": [tensor_metadata(spec) for spec in self.contract.inputs],
            "outputs": outputs,
        }

    def is_quick(self, body: bytes, *, binary: bool) -> bool:
        """Whether a body, with binary tensors or without, is answered sooner than it is handed to a thread."""
        return self._quick.has(body, binary=binary)

    def infer(self, body: bytes, header_length: str | None = None) -> InferAnswer:
        """Answer the body of an inference.

        Args:
            body: JSON, and behind it what comes in binary.
            header_length: how many bytes the JSON has, as the header says it; None if all.

        Raises:
            RequestError: it cannot be answered.
        """
        request = parse_request(body, header_length, self._most_containers)
        wanted = self._wanted(request)
        try:
            outputs = self._predictor.run(self._inputs.of(request.tensors))
            for name in self._finite:
                check_finite(outputs[name])
        except InputError as error:
            raise RequestError(str(error)) from error
        except ConformanceError as error:  # the model's fault, whatever the rows
            raise RequestError(str(error), 500) from error
        if CLASS in wanted:
            outputs[CLASS] = outputs["label"]
        head = self._head if request.id is None else {**self._head, "id": request.id}
        return encode_answer(head, {name: outputs[name] for name in wanted}, wanted, self._texts)

    def _wanted(self, request: InferRequest) -> dict[str, bool]:
        if request.outputs is None:
            return dict.fromkeys(self._names, request.binary)
        unknown = [name for name in request.outputs if name not in self._names]
        if unknown:
            raise RequestError(f"there is no output {shown(unknown[0])}; the model gives {', '.join(self._names)}")
        return request.outputs


def tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    """Describe a tensor as the protocol does: its dynamic dimensions are -1.

    >>> from parity_runtime import TensorSpec
    >>> tensor_metadata(TensorSpec.parse("features: float32[batch, 2]"))
    {'name': 'features', 'datatype': 'FP32', 'shape': [-1, 2]}
    """
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}
