"""The specs as JSON Schema, with the meaning of each field from its class's docstring."""

import inspect
import re
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from ablate.spec import Protocol, Sweep, Variant

# What people write a file of, and the spec that it becomes.
SPECS: dict[str, Any] = {"variant": Variant, "sweep": Sweep, "protocol": Protocol}
# Fields that no file holds: the file's own name, and what --set gives.
_NOT_IN_FILES = ("name", "overrides")


class _WithMeanings(GenerateJsonSchema):
    """Puts the text of a docstring's ``Attributes`` beside each field, and drops titles."""

    hidden: tuple[str, ...] = ()

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """The schema of one model."""
        generated = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        meanings = attributes_of(model)
        generated.pop("title", None)
        generated["description"] = summary_of(model)
        for name in self.hidden:
            generated["properties"].pop(name, None)
        generated["required"] = [
            name for name in generated.get("required", []) if name in generated["properties"]
        ]
        for name, field in generated["properties"].items():
            field.pop("title", None)
            if name in meanings:
                field["description"] = meanings[name]
        return generated


class _OfFiles(_WithMeanings):
    """Leaves out what no file holds."""

    hidden = _NOT_IN_FILES


def json_schema(spec: Any) -> dict[str, Any]:
    """A complete spec as JSON Schema in pydantic's dialect (2020-12)."""
    return TypeAdapter(spec).json_schema(schema_generator=_OfFiles)


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a model writes, as JSON Schema (2020-12): every field is always there."""
    return model.model_json_schema(mode="serialization", schema_generator=_WithMeanings)


def summary_of(model: type[BaseModel]) -> str:
    """The first paragraph of a model's docstring, as one line of Markdown."""
    return _in_yaml((inspect.getdoc(model) or "").partition("\n\n")[0])


def attributes_of(model: type[BaseModel]) -> dict[str, str]:
    """What a docstring of Google's style says of each attribute, as lines of Markdown."""
    section = (inspect.getdoc(model) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, re.MULTILINE)
    return {name: _in_yaml(text) for name, text in entries}


def _in_yaml(text: str) -> str:
    """The text on one line, with YAML's word for None and Markdown's code marks."""
    text = " ".join(text.split()).replace("``", "`")
    return re.sub(r"\bNone\b", "`null`", text)
