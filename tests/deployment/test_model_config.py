"""What a contract may say, and what Triton is told: where requests are merged, scalars, classes, text."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity_runtime import Feature, InputError, ModelContract, TensorSpec
from parity_runtime.contract import binary_logit_threshold
from parity_runtime.deployment.deployed_model import DeployedModel
from parity_runtime.deployment.model_config import TritonOptions, has_labels, model_config
from parity_runtime.deployment.row_batches import why_not_merged
from parity_runtime.deployment.text_proto import Word, text_proto
from parity_runtime.deployment.triton_repository import check_text
from parity_runtime.deployment.warm_up import warm_up_tensors
from parity_runtime.verification.test_vectors import OrdinaryVectors
from tests.deployment.text_format import parse


def spec(text: str) -> TensorSpec:
    """Read the command line's notation, and an output's computed sizes as well."""
    name, dtype, sizes = re.fullmatch(r"(\w+): (\w+)\[(.*)\]", text).groups()  # type: ignore[union-attr]
    return TensorSpec(name, dtype, tuple(int(size) if size.isdecimal() else size for size in sizes.split(", ") if size))


def contract_of(*inputs: str, outputs: tuple[str, ...] = ("y: float32[batch, 2]",), **more: Any) -> ModelContract:
    told = {"row_independent": True, "graphs": {"default": "model.onnx"}} | more
    return ModelContract("net", "tensors", tuple(map(spec, inputs)), tuple(map(spec, outputs)), **told)


def model_of(xor: DeployedModel, contract: ModelContract, arrays: dict[str, Any] | None = None) -> DeployedModel:
    """Return another model in the place of XOR, whose outputs onnxruntime declares as the contract does."""
    shapes = tuple(tuple(size if isinstance(size, int) else -1 for size in one.shape) for one in contract.outputs)
    return replace(xor, contract=contract, output_shapes=shapes, vectors=OrdinaryVectors(arrays or {}, {}, 0, 0))


def config_of(xor: DeployedModel, contract: ModelContract, arrays: dict[str, Any]) -> dict[str, Any]:
    model = model_of(xor, contract, arrays)
    return parse(model_config(model, warm_up_tensors(contract, model.vectors), TritonOptions()))


@pytest.mark.parametrize(
    ("contract", "why"),
    [
        (contract_of("x: float32[batch, 2]"), None),
        (contract_of("x: float32[rows, 2]", outputs=("y: float32[rows]",)), None),
        (contract_of("x: float32[batch, time, 2]", outputs=("y: float32[batch, 2*time]",)), None),
        (contract_of("x: float32[batch, 2]", outputs=("y: float32[batch, 2*batch]",)), "another axis of y counts rows"),
        (contract_of("x: float32[batch, 2]", row_independent=False), "rows of one batch influence one another"),
        (contract_of("x: float32[batch, 2]", row_independent=None), "was not measured"),
        (contract_of("x: float32[4, 2]", outputs=("y: float32[4]",)), "the number of rows is fixed"),
        (contract_of("x: float32[batch, 2]", "scale: float32[]"), "the first axis of scale does not count rows"),
        (contract_of("x: float32[time, batch, 2]"), "the first axis of x does not count rows"),
        (contract_of("x: float32[batch, 2]", outputs=("y: float32[2]",)), "the first axis of y does not count rows"),
        (contract_of("x: float32[batch, 2]", outputs=("y: float32[batch, batch]",)), "another axis of y counts rows"),
    ],
)
def test_requests_are_merged_only_where_rows_are_independent(contract: ModelContract, why: str | None) -> None:
    found = why_not_merged(contract)
    assert found is None if why is None else why in (found or "")


def test_a_batch_whose_rows_hang_together_is_one_request(xor: DeployedModel) -> None:
    contract = contract_of("x: float32[batch, 2]", row_independent=False)
    config = config_of(xor, contract, {"x": np.ones((3, 2), np.float32)})
    assert config["max_batch_size"] == [0] and "dynamic_batching" not in config
    assert config["input"][0]["dims"] == [-1, 2] and config["output"][0]["dims"] == [-1, 2]
    (told,) = config["model_warmup"][0]["inputs"][0]["value"]
    assert told["dims"] == [3, 2]


def test_rows_of_one_number_and_scalars(xor: DeployedModel) -> None:
    row = contract_of("x: int64[batch]", outputs=("y: int64[batch]",))
    config = config_of(xor, row, {"x": np.array([7, 8])})
    assert config["input"][0] == {"name": ["x"], "data_type": ["TYPE_INT64"], "dims": [1], "reshape": [{}]}
    assert config["output"][0]["reshape"] == [{}]
    assert config["model_warmup"][0]["inputs"][0]["value"][0]["dims"] == [1]
    # without a batch Triton refuses an empty reshape, and its backend takes [1] for a scalar
    scalar = contract_of("x: float32[]", outputs=("y: float32[]",))
    config = config_of(xor, scalar, {"x": np.array(2, np.float32)})
    assert config["input"][0] == {"name": ["x"], "data_type": ["TYPE_FP32"], "dims": [1]}
    assert config["output"][0] == {"name": ["y"], "data_type": ["TYPE_FP32"], "dims": [1]}


def test_an_output_has_the_sizes_that_onnxruntime_declares(xor: DeployedModel) -> None:
    contract = contract_of("x: float32[batch, 2]")
    model = replace(model_of(xor, contract), output_shapes=((-1, -1),))
    config = parse(model_config(model, [], TritonOptions()))
    assert config["output"][0]["dims"] == [-1]


def classifier(task: Any, classes: tuple[str, ...], **more: Any) -> ModelContract:
    width = len(classes)
    decided = f"labels: bool[batch, {width}]" if task == "multilabel" else "label: int64[batch]"
    outputs = (decided, f"probabilities: float32[batch, {width}]", f"logits: float32[batch, {width}]")
    told = {"classes": classes, "row_independent": True, **more}
    return ModelContract("net", task, (spec("x: float32[batch, 2]"),), tuple(map(spec, outputs)), **told)


def binary(threshold: float) -> ModelContract:
    told = {"threshold": threshold, "logit_threshold": binary_logit_threshold(threshold), "positive": "yes"}
    return classifier("binary", ("no", "yes"), **told)


def test_classes_are_named_where_the_largest_probability_is_the_answer() -> None:
    half = {"thresholds": (0.5,), "logit_thresholds": (0.0,)}
    assert has_labels(classifier("multiclass", ("a", "b", "c")))
    assert has_labels(classifier("multilabel", ("a",), **half))
    assert has_labels(binary(0.5)) and not has_labels(binary(0.3))
    assert not has_labels(classifier("multiclass", ("a", "b", "c"), row_independent=False))
    assert not has_labels(contract_of("x: float32[batch, 2]"))


@pytest.mark.parametrize(
    ("contract", "line"),
    [
        (
            contract_of(
                "categories: string[batch, 1]",
                features=(Feature("city", "categories", 0, kind="categorical", categories=("a\0b",)),),
            ),
            r"the category 'a\\x00b' of 'city' holds a zero character",
        ),
        (contract_of("prompt: string[]"), "the input 'prompt' is one text without an axis"),
    ],
)
def test_text_that_triton_would_change_is_refused(xor: DeployedModel, contract: ModelContract, line: str) -> None:
    with pytest.raises(InputError, match=line):
        check_text(model_of(xor, contract))
    check_text(xor)


def test_names_are_quoted() -> None:
    strange = 'a"b\\c\n\u202eé'
    text = text_proto((("name", strange), ("type", Word("TYPE_BOOL")), ("empty", ())))
    assert text == 'name: "a\\"b\\\\c\\012\\342\\200\\256é"\ntype: TYPE_BOOL\nempty { }\n'
    assert parse(text)["name"] == [strange]
