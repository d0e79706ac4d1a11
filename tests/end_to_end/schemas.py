"""The JSON Schemas of the files that Parity writes, as a validator loads them; values that differ in one place."""

import functools
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
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


@functools.cache
def validator(name: str, *, closed: bool = False) -> Draft202012Validator:
    """Return what checks a file.

    Args:
        name: of the schema.
        closed: whether keys that it does not describe are refused; a reader ignores them.
    """
    known = {one: _closed(schema) if closed else schema for one, schema in SCHEMAS.items()}
    registry = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in known.values())
    return Draft202012Validator(known[name], registry=registry)


def schema_of(file: str | Path) -> str:
    """Return the name of the schema of a file, by the file's path."""
    path = Path(file)
    if path.parent.name == "_parity":
        return "part"
    if path.name.endswith(".refused.json"):
        return "parity"
    return "predictions" if path.name == "_parity.json" else path.stem


def objects(path: Path) -> list[dict[str, Any]]:
    """Return what a file holds: one object, or of JSON Lines one a line."""
    text = path.read_text("utf-8")
    return [json.loads(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]


def files_in(*folders: Path) -> list[Path]:
    """Return the files that have a schema."""
    listed = [path for folder in folders for path in sorted(folder.rglob("*.json*"))]
    return [path for path in listed if schema_of(path) in SCHEMAS]


def refuses(name: str, value: Any, *, closed: bool = False) -> list[str]:
    """Return what a schema has against a value."""
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(name, closed=closed).iter_errors(value)]


def refused(paths: list[Path], *, closed: bool = False) -> dict[str, list[list[str]]]:
    """Return what the schemas have against files, a list for each object, by the files' paths."""
    found = {str(path): [refuses(schema_of(path), one, closed=closed) for one in objects(path)] for path in paths}
    return {path: errors for path, errors in found.items() if any(errors)}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the values of an object are; of a list of plain values only the first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        if isinstance(value, list) and key and not isinstance(item, dict | list):
            return
        yield (*path, key)
        yield from places(item, (*path, key))


def changes(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Yield a value without what is at a place, and with values of other types there."""
    *outer, last = path
    now = functools.reduce(lambda inner, key: inner[key], path, value)
    if isinstance(last, str):
        yield "left out", replaced(value, outer, lambda inner: inner.pop(last))
    for other in (None, True, 1.5, "text", [], {}):
        if type(other) is not type(now):
            yield repr(other), replaced(value, outer, lambda inner, other=other: inner.__setitem__(last, other))


def replaced(value: Any, outer: list[Any], edit: Callable[[Any], object]) -> Any:
    """Return a copy of a value that is edited at a place."""
    copy = deepcopy(value)
    edit(functools.reduce(lambda inner, key: inner[key], outer, copy))
    return copy


def _closed(schema: Any) -> Any:
    """Return a schema that refuses every key that it does not describe, in every object."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _closed(value) for key, value in schema.items()}
    describes = "object" in found.get("type", ()) and ("properties" in found or "$ref" in found)
    return found | ({"unevaluatedProperties": False} if describes else {})
