"""The reference of the formats: a page for each JSON Schema, and the schemas to download."""

import functools
import json
from pathlib import Path
from typing import Any

from page_files import heading, toctree, write_pages

from parity_runtime import __file__ as runtime

SCHEMAS = Path(runtime).parent / "schemas"


def write_schema_pages(folder: Path) -> None:
    """Write a page for each schema of the runtime."""
    found = {file.name.partition(".")[0]: file for file in sorted(SCHEMAS.glob("*.schema.json"))}
    pages = {
        f"{name}.rst": _page(json.loads(file.read_text(encoding="utf-8")), file.name) for name, file in found.items()
    }
    pages["index.rst"] = (
        heading("JSON Schemas")
        + "JSON Schemas (draft 2020-12) of the files that Parity writes. "
        + "The wheel has them in ``parity_runtime/schemas``.\n\n"
        + toctree(found)
    )
    pages |= {file.name: file.read_text(encoding="utf-8") for file in found.values()}
    write_pages(folder, pages)


def _page(schema: dict[str, Any], file: str) -> str:
    title = schema.get("title", file)
    return (
        heading(title)
        + f"{schema.get('description', '')}\n\n:download:`{file}`\n\n"
        + _properties(schema)
        + heading("The schema", "-")
        + f".. literalinclude:: {file}\n   :language: json\n"
    )


def _properties(schema: dict[str, Any]) -> str:
    whole, there = _resolved(schema, schema)
    properties, required = whole.get("properties", {}), whole.get("required", [])
    if not properties:
        return ""
    rows = "".join(_row(name, one, there, name in required) for name, one in properties.items())
    return (
        heading("Its keys", "-")
        + ".. list-table::\n   :header-rows: 1\n\n"
        + ("   * - key\n     - type\n     - required\n     - what it is\n" + rows + "\n")
    )


def _row(name: str, one: dict[str, Any], schema: dict[str, Any], required: bool) -> str:
    description = _resolved(one, schema)[0].get("description", "")
    told = (f"``{name}``", _type(one, schema), "yes" if required else "no", description)
    return "   * - " + "     - ".join(f"{cell}\n" for cell in told)


def _type(one: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the JSON types of a value, or the values themselves where few are allowed."""
    one, schema = _resolved(one, schema)
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_type(each, schema) for each in one["anyOf"]))
    if "const" in one or "enum" in one:
        return ", ".join(f"``{json.dumps(value)}``" for value in one.get("enum", [one.get("const")]))
    found = one.get("type", "one of several")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _resolved(one: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a schema says with what it refers to, and the file in which further references are looked up."""
    if "$ref" not in one:
        return one, schema
    urn, _, pointer = one["$ref"].partition("#")
    there = _by_id().get(urn, schema)
    referred = functools.reduce(lambda inner, key: inner[key], pointer.strip("/").split("/"), there)
    found, there = _resolved(referred, there)
    whole = found | {key: value for key, value in one.items() if key != "$ref"}
    if "properties" in one:
        inherited = found.get("properties", {})
        more = {name: inherited.get(name, {}) | value for name, value in one["properties"].items()}
        whole["properties"] = inherited | more
    return whole, there


@functools.cache
def _by_id() -> dict[str, Any]:
    found = [json.loads(file.read_text(encoding="utf-8")) for file in SCHEMAS.glob("*.schema.json")]
    return {schema["$id"]: schema for schema in found}
