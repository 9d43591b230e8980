"""Writes ``schemas/*.json``: JSON Schemas of the YAML files, for editors, and of a report's JSON.

Editors' YAML server reads draft 7, pydantic writes 2020-12, so tuples, unions and definitions are
converted. A file with ``extends`` may leave out whatever the other file gives. The report's schema,
for programs that read ``ablate report --format json``, stays in 2020-12.

Run with ``python -m scripts.write_schemas`` from the top level.
"""

import json
from pathlib import Path
from typing import Any

from ablate.report import Report
from scripts.spec_schema import SPECS, json_schema, output_schema

FOLDER = Path(__file__).parent.parent / "schemas"
_PART = "Part"
_NAME = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}


def file_schema(what: str) -> dict[str, Any]:
    """The draft-7 schema of a variant's, sweep's or protocol's file."""
    complete = json_schema(SPECS[what])
    definitions = complete.pop("$defs", {})
    definitions["File"] = complete
    converted = {name: _draft_7(schema) for name, schema in definitions.items()}
    parts = {f"{name}{_PART}": _partial(_draft_7(each)) for name, each in definitions.items()}
    _allow_extends(parts[f"File{_PART}"], parts)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"ablate {what}",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": f"#/definitions/File{_PART}"},
        "else": {"$ref": "#/definitions/File"},
        "definitions": _reachable(converted | parts, f"File{_PART}", "File"),
    }


def _draft_7(schema: Any) -> Any:
    """The same schema without the words that draft 7 does not have."""
    if isinstance(schema, list):
        return [_draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _draft_7(value) for key, value in schema.items()}
    if "$ref" in schema:
        # Words beside a reference are ignored in draft 7.
        reference = {"$ref": schema.pop("$ref").replace("#/$defs/", "#/definitions/")}
        return reference if not schema else schema | {"allOf": [reference]}
    if "prefixItems" in schema:
        schema |= {"items": schema.pop("prefixItems"), "additionalItems": False}
    if "discriminator" in schema:
        return _union(schema)
    return schema


def _union(schema: dict[str, Any]) -> dict[str, Any]:
    """A union by a tag: the rules of the model that the tag names hold."""
    discriminator = schema.pop("discriminator")
    del schema["oneOf"]
    tag, models = discriminator["propertyName"], discriminator["mapping"]
    references = {name: each.replace("#/$defs/", "#/definitions/") for name, each in models.items()}
    return schema | {
        "type": "object",
        "required": [tag],
        "properties": {tag: {"enum": list(references)}},
        "allOf": [
            {
                "if": {"required": [tag], "properties": {tag: {"const": name}}},
                "then": {"$ref": reference},
            }
            for name, reference in references.items()
        ],
    }


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """What a file with ``extends`` may hold of it: no key is required, in mappings below neither.

    Lists replace those of the other file, so what stands in them stays complete.
    """
    if "$ref" in schema:
        return {"$ref": f"{schema['$ref']}{_PART}"}
    schema = {key: value for key, value in schema.items() if key != "required"}
    alternatives = [each["then"] for each in schema.get("allOf", []) if "then" in each]
    if alternatives:
        # Where the tag is left out, it is the other file's.
        del schema["allOf"], schema["properties"]
        return schema | {"anyOf": [_partial(each) for each in alternatives]}
    for word in {"allOf", "anyOf"} & schema.keys():
        schema[word] = [_partial(each) for each in schema[word]]
    if "properties" in schema:
        schema["properties"] = {name: _partial(each) for name, each in schema["properties"].items()}
    return schema


def _allow_extends(file: dict[str, Any], parts: dict[str, Any]) -> None:
    """Adds the key ``extends`` to the models that a file as a whole can be."""
    models = [each["$ref"].rpartition("/")[2] for each in file.get("anyOf", [])]
    for model in [parts[name] for name in models] or [file]:
        model["properties"]["extends"] = _NAME | {"description": "The file that this one alters."}


def _reachable(definitions: dict[str, Any], *roots: str) -> dict[str, Any]:
    """The definitions that the roots refer to, directly or not, sorted."""
    found: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += _references(definitions[name])
    return {name: definitions[name] for name in sorted(found)}


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for each in schema for name in _references(each)]
    if not isinstance(schema, dict):
        return []
    if isinstance(schema.get("$ref"), str):
        return [schema["$ref"].rpartition("/")[2]]
    return [name for each in schema.values() for name in _references(each)]


def schema_text(what: str) -> str:
    """The content of ``schemas/WHAT.json``."""
    return json.dumps(file_schema(what), indent=2, ensure_ascii=False) + "\n"


def report_schema_text() -> str:
    """The content of ``schemas/report.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ablate report",
    } | output_schema(Report)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes every schema."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "report.json").write_text(report_schema_text(), encoding="utf-8")
    for what in SPECS:
        (FOLDER / f"{what}.json").write_text(schema_text(what), encoding="utf-8")


if __name__ == "__main__":
    main()
