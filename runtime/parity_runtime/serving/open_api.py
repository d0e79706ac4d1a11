"""What ``/openapi.json`` says: the routes that FastAPI knows, and for each model its own paths, from its contract."""

from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from parity_runtime.serving.datatypes import BYTES, DATATYPES, NUMPY_DTYPES
from parity_runtime.serving.served_model import ServedModel
from parity_runtime.tensor_spec import TensorSpec

_SCHEMA = "#/components/schemas/"


class Live(BaseModel):
    """Whether the process answers."""

    live: bool


class Ready(BaseModel):
    """Whether more requests shall come."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model answers."""

    name: str
    ready: bool


class ServerMetadata(BaseModel):
    """What a server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor of a model; its dynamic dimensions are -1."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def open_api(described: dict[str, Any], models: list[ServedModel]) -> dict[str, Any]:
    """Return the description of a service.

    Args:
        described: what FastAPI knows.
        models: that are served.
    """
    schemas: dict[str, Any] = {**described.get("components", {}).get("schemas", {}), **_schemas()}
    paths = {
        path: {method: _with_errors(operation) for method, operation in item.items()}
        for path, item in described["paths"].items()
    }
    paths["/v2/health/ready"]["get"]["responses"]["503"] = _answer("It is about to stop.", f"{_SCHEMA}Ready")
    for model in models:
        path = f"/v2/models/{quote(model.name, safe='')}"
        paths[path] = {"get": _operation("The model's inputs and outputs.", "ModelMetadata")}
        ready = _operation("Whether the model answers.", "ModelReady")
        ready["responses"]["503"] = _answer("It is about to stop.", f"{_SCHEMA}ModelReady")
        paths[f"{path}/ready"] = {"get": ready}
        paths[f"{path}/infer"] = {"post": _infer(model)}
    paths["/metrics"] = {
        "get": {
            "summary": "Metrics, in the text format of Prometheus.",
            "responses": {
                "200": {"description": "Metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}
            },
        }
    }
    return {**described, "paths": paths, "components": {"schemas": schemas}}


def _infer(model: ServedModel) -> dict[str, Any]:
    operation = _operation(f"Predictions of {model.name}.", "InferAnswer")
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _request(model), "example": _example(model)}},
    }
    for status, text in {
        "400": "The tensors are not those that the model takes.",
        "408": "The body did not arrive in time.",
        "413": "The body, or the batch, is too large.",
        "415": "The body is of another type, or compressed in a way that is not known.",
        "500": "The package is at fault.",
        "503": "The service is at its limit of memory or of requests.",
    }.items():
        operation["responses"][status] = _answer(text, f"{_SCHEMA}Error")
    return operation


def _request(model: ServedModel) -> dict[str, Any]:
    names = [output["name"] for output in model.metadata()["outputs"]]
    wanted = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"enum": names}, "parameters": {"$ref": f"{_SCHEMA}OutputParameters"}},
    }
    inputs = [_tensor(spec, model.max_rows) for spec in model.contract.inputs]
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"]},
            "parameters": {"$ref": f"{_SCHEMA}RequestParameters"},
            "inputs": {
                "type": "array",
                "items": inputs[0] if len(inputs) == 1 else {"oneOf": inputs},
                "minItems": len(inputs),
                "maxItems": len(inputs),
            },
            "outputs": {"type": ["array", "null"], "items": wanted, "minItems": 1, "uniqueItems": True},
        },
    }


def _tensor(spec: TensorSpec, max_rows: int) -> dict[str, Any]:
    """Describe an input as JSON; that its data fits its shape is more than a schema can say."""
    sizes: list[dict[str, Any]] = [
        {"const": size} if isinstance(size, int) else {"type": "integer", "minimum": 1} for size in spec.shape
    ]
    if sizes and "minimum" in sizes[0]:
        sizes[0] = {"type": "integer", "minimum": 0, "maximum": max_rows}
    return {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"const": spec.name},
            "datatype": {"const": DATATYPES[spec.dtype]},
            "shape": {"type": "array", "prefixItems": sizes, "minItems": len(sizes), "maxItems": len(sizes)},
            "data": {"type": "array", "items": _cell(spec)},
            "parameters": {"type": ["object", "null"], "properties": {"binary_data_size": False}},
        },
    }


def _cell(spec: TensorSpec) -> dict[str, Any]:
    kind = NUMPY_DTYPES[DATATYPES[spec.dtype]].kind
    if kind == "b":
        return {"type": "boolean"}
    if kind == "O":
        return {"type": "string"}
    if kind == "f":
        return {"type": "number"}
    bits = 8 * spec.numpy_dtype.itemsize - (kind == "i")
    return {"type": "integer", "minimum": -(2**bits) if kind == "i" else 0, "maximum": 2**bits - 1}


def _example(model: ServedModel) -> dict[str, Any]:
    inputs = []
    for spec in model.contract.inputs:
        shape = [size if isinstance(size, int) else 1 for size in spec.shape]
        size = 1
        for one in shape:
            size *= one
        datatype = DATATYPES[spec.dtype]
        cell = "" if datatype == BYTES else False if datatype == "BOOL" else 0
        inputs.append({"name": spec.name, "datatype": datatype, "shape": shape, "data": [cell] * size})
    return {"inputs": inputs}


def _operation(summary: str, schema: str) -> dict[str, Any]:
    return _with_errors({"summary": summary, "responses": {"200": _answer(summary, f"{_SCHEMA}{schema}")}})


def _with_errors(operation: dict[str, Any]) -> dict[str, Any]:
    responses = {"default": _answer("What went wrong.", f"{_SCHEMA}Error"), **operation["responses"]}
    return {**operation, "responses": responses}


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": {"$ref": schema}}}}


def _schemas() -> dict[str, Any]:
    flag = {"type": "boolean"}
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"type": "string"},
            "datatype": {"enum": sorted(NUMPY_DTYPES)},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {"type": "array", "items": {"type": ["number", "boolean", "string", "null"]}},
        },
    }
    binary = {"description": "true is for clients that read the binary extension.", **flag}
    _, answers = models_json_schema(
        [(ModelMetadata, "serialization"), (ModelReady, "serialization")], ref_template=f"{_SCHEMA}{{model}}"
    )
    return {
        **answers["$defs"],
        "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
        "RequestParameters": {
            "type": ["object", "null"],
            "properties": {"binary_data_output": {**binary, "const": False}},
        },
        "OutputParameters": {
            "type": ["object", "null"],
            "properties": {"binary_data": {**binary, "const": False}},
        },
        "InferAnswer": {
            "type": "object",
            "required": ["model_name", "model_version", "outputs"],
            "properties": {
                "model_name": {"type": "string"},
                "model_version": {"type": "string"},
                "id": {"type": "string"},
                "outputs": {"type": "array", "items": tensor},
            },
        },
    }
