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
    schema = schema | schema["$defs"][_type(schema)] if "$ref" in schema else schema
    properties = schema.get("properties", {})
    if not properties:
        return ""
    rows = "".join(
        f"   * - ``{name}``\n     - {_type(one)}\n     - {'yes' if name in schema.get('required', []) else 'no'}\n"
        f"     - {one.get('description', '')}\n"
        for name, one in properties.items()
    )
    return (
        heading("Its keys", "-")
        + ".. list-table::\n   :header-rows: 1\n\n"
        + ("   * - key\n     - type\n     - required\n     - what it is\n" + rows + "\n")
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    found = schema.get("type", "const" if "const" in schema else "enum" if "enum" in schema else "one of several")
    return " or ".join(found) if isinstance(found, list) else str(found)
