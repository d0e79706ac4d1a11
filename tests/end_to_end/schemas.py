"""The JSON Schemas of the files that Parity writes, as a validator loads them."""

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS: dict[str, dict[str, Any]] = {
    file.name.removesuffix(".schema.json"): json.loads(file.read_text("utf-8"))
    for file in sorted((files("parity_runtime") / "schemas").iterdir(), key=lambda file: file.name)
}
"""By the name of the file that each describes, without its suffix."""


@cache
def validator(name: str, *, closed: bool = False) -> Draft202012Validator:
    """Return what checks a file.

    Args:
        name: of the schema.
        closed: whether keys that it does not describe are refused; a reader ignores them.
    """
    known = {one: _closed(schema) if closed else schema for one, schema in SCHEMAS.items()}
    registry = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in known.values())
    return Draft202012Validator(known[name], registry=registry)


def schema_of(file: str) -> str:
    """Return the name of the schema of a file, by the file's name."""
    return "parity" if file.endswith(".refused.json") else Path(file).stem


def objects(path: Path) -> list[dict[str, Any]]:
    """Return what a file holds: one object, or of JSON Lines one a line."""
    text = path.read_text("utf-8")
    return [json.loads(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]


def _closed(schema: Any) -> Any:
    """Return a schema that refuses every key that it does not describe, in every object."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value) for key, value in schema.items()}
    describes = "object" in found.get("type", ()) and ("properties" in found or "$ref" in found)
    return found | ({"unevaluatedProperties": False} if describes else {})
