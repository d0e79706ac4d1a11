"""The reference of the formats: a page for each JSON Schema, and the schemas to download."""

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
    schema = schema | _local(schema, schema)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not properties:
        return ""
    rows = "".join(_row(name, one, schema, name in required) for name, one in properties.items())
    return (
        heading("Its keys", "-")
        + ".. list-table::\n   :header-rows: 1\n\n"
        + ("   * - key\n     - type\n     - required\n     - what it is\n" + rows + "\n")
    )


def _row(name: str, one: dict[str, Any], schema: dict[str, Any], required: bool) -> str:
    description = (_local(one, schema) | one).get("description", "")
    told = (f"``{name}``", _type(one, schema), "yes" if required else "no", description)
    return "   * - " + "     - ".join(f"{cell}\n" for cell in told)


def _type(one: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the JSON types of a value, or the values themselves where few are allowed; of another file its name."""
    one = _local(one, schema) | one
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_type(each, schema) for each in one["anyOf"]))
    if "const" in one or "enum" in one:
        return ", ".join(f"``{json.dumps(value)}``" for value in one.get("enum", [one.get("const")]))
    if "type" not in one and "$ref" in one:
        return str(one["$ref"].rpartition("/")[2])
    found = one.get("type", "one of several")
    return " or ".join(found) if isinstance(found, list) else str(found)


def _local(one: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the definition of the same file that a value refers to; nothing of another file's, or without one."""
    defined: dict[str, Any] = schema.get("$defs", {}).get(one.get("$ref", "").removeprefix("#/$defs/"), {})
    return defined
