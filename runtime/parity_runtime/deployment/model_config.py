"""Triton's configuration of a model, ``config.pbtxt``, from the contract.

Field by field it is ``ModelConfig`` in model_config.proto of triton-inference-server/common, with what the backend for
onnxruntime demands beyond it: the shape of an output must be the one that onnxruntime declares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from parity_runtime.contract import PROBABILITIES, ModelContract
from parity_runtime.deployment.deployed_model import DeployedModel
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.deployment.text_proto import Message, Word, text_proto
from parity_runtime.deployment.warm_up import WarmUpTensor
from parity_runtime.serving.datatypes import BYTES, DATATYPES

LABELS_FILE = "labels.txt"
"""The classes by index, a line each."""


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """How Triton runs models.

    Attributes:
        max_rows: the largest batch, where requests are merged into batches.
        instances: how many requests, or batches of them, one model answers at once; on each GPU where there are some.
        threads: within an operator.
        gpus: how many GPUs a model runs on; 0 is the CPU.
    """

    max_rows: int = 1024
    instances: int = 1
    threads: int = 1
    gpus: int = 0


def model_config(model: DeployedModel, warm_up: Sequence[WarmUpTensor], options: TritonOptions) -> str:
    """Return the text of ``config.pbtxt``.

    Args:
        model: what is served.
        warm_up: the inputs of a request that the model answers before it is ready.
        options: how.
    """
    contract = model.contract
    merged = why_not_merged(contract) is None
    outputs = zip(contract.outputs, model.output_shapes, strict=True)
    message: Message = (
        ("name", model.name),
        ("backend", "onnxruntime"),
        ("max_batch_size", options.max_rows if merged else 0),
        *(("input", _tensor(spec.name, spec.dtype, _sizes(spec.shape), merged)) for spec in contract.inputs),
        *(
            ("output", _tensor(spec.name, spec.dtype, shape, merged) + _labels(contract, spec.name))
            for spec, shape in outputs
        ),
        *((("dynamic_batching", ()),) if merged else ()),
        ("instance_group", _instances(options)),
        *_float32_products(options),
        ("parameters", _parameter("intra_op_thread_count", str(options.threads))),
        ("parameters", _parameter("parity_package", model.package.id)),
        ("model_warmup", _request(warm_up)),
    )
    return text_proto(message)


def has_labels(contract: ModelContract) -> bool:
    """Whether Triton's classification of ``probabilities`` names the classes that the model predicts, or ranks them.

    It takes the largest probabilities, row by row where it knows of rows. A threshold other than one half decides
    otherwise, so that the names would not be the model's answers.
    """
    decided = contract.task in ("multiclass", "multilabel") or contract.threshold == 0.5
    return decided and why_not_merged(contract) is None


def _labels(contract: ModelContract, output: str) -> Message:
    return (("label_filename", LABELS_FILE),) if output == PROBABILITIES and has_labels(contract) else ()


def _sizes(shape: Sequence[int | str]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else -1 for size in shape)


def _tensor(name: str, dtype: str, shape: tuple[int, ...], merged: bool) -> Message:
    """Return an input or an output; the batch is not among its dims where Triton merges requests.

    There are no empty dims: a row that is one number is [1], and Triton takes the axis away. A tensor that is one
    number is [1] as well, and the backend takes it as a scalar.
    """
    dims = shape[1:] if merged else shape
    reshaped: Message = (("reshape", ()),) if merged and not dims else ()
    return (("name", name), ("data_type", data_type(dtype)), ("dims", [*dims] or [1]), *reshaped)


def data_type(dtype: str) -> Word:
    """Return Triton's name of a dtype.

    >>> data_type("float32"), data_type("string")
    ('TYPE_FP32', 'TYPE_STRING')
    """
    datatype = DATATYPES[dtype]
    return Word(f"TYPE_{'STRING' if datatype == BYTES else datatype}")


def _instances(options: TritonOptions) -> Message:
    if options.gpus:
        return ("count", options.instances), ("kind", Word("KIND_GPU")), ("gpus", [*range(options.gpus)])
    return ("count", options.instances), ("kind", Word("KIND_CPU"))


def _float32_products(options: TritonOptions) -> Message:
    """On CUDA onnxruntime rounds the factors of products to 10 bits of mantissa, unless it is told not to."""
    if not options.gpus:
        return ()
    cuda: Message = (("name", "cuda"), ("parameters", (("key", "use_tf32"), ("value", "0"))))
    return (("optimization", (("execution_accelerators", (("gpu_execution_accelerator", cuda),)),)),)


def _parameter(key: str, value: str) -> Message:
    return ("key", key), ("value", (("string_value", value),))


def _request(tensors: Sequence[WarmUpTensor]) -> Message:
    inputs: list[tuple[str, Message]] = []
    for tensor in tensors:
        described = ("data_type", data_type(tensor.dtype)), ("dims", [*tensor.dims]), ("input_data_file", tensor.file)
        inputs.append(("inputs", (("key", tensor.name), ("value", described))))
    return ("name", "test_vectors"), ("batch_size", 1), *inputs
