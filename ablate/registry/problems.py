"""Turns pydantic's errors into lines that name file, line, value, rule and repair."""

import difflib
import json
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from ablate.errors import SpecError
from ablate.registry.source import Document, Loc, shortened, shown_value
from ablate.registry.yaml_reader import limited

Model = TypeVar("Model", bound=BaseModel)

# The fields whose values distinguish the models of a union.
_DISCRIMINATORS = ("kind", "system")

# The message of a spec's own rule may repeat text of the file.
_MAX_RULE_CHARACTERS = 300

# Rules that pydantic words for programmers, by the type of its error.
_RULES = {
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validated(model: type[Model], document: Document) -> Model:
    """The document as a spec.

    Raises:
        SpecError: With a line for every problem of the document.
    """
    try:
        # Through JSON: in pydantic's strict mode only JSON's lists may become tuples.
        return model.model_validate_json(json.dumps(document.value, allow_nan=False))
    except ValidationError as error:
        models = _models_in(model)
        problems = [_line(models, document, detail) for detail in error.errors(include_url=False)]
        raise SpecError(limited(problems)) from error


def nearest(name: str, valid: Iterable[str]) -> str:
    """``; did you mean 'x'?`` where something valid looks alike, else nothing."""
    close = difflib.get_close_matches(name[:100], list(valid), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def _line(candidates: list[type[BaseModel]], document: Document, detail: ErrorDetails) -> str:
    models, loc = _follow(candidates, document.value, detail["loc"])
    place = document.place(loc)
    name = shortened(".".join(str(part) for part in loc))
    if detail["type"] == "extra_forbidden":
        allowed = sorted({field for owner in models for field in owner.model_fields} - {"name"})
        key = str(loc[-1])
        return f"{place}: unknown key {name!r}{nearest(key, allowed) or _one_of(allowed)}"
    if detail["type"] == "missing":
        return f"{place}: {name!r} is missing; add it"
    value: Any = detail["input"]
    if isinstance(value, tuple):
        # A list that was made one on the way.
        value = list(value)
    context = detail.get("ctx", {})
    if detail["type"] in {"literal_error", "union_tag_invalid"}:
        expected = str(context.get("expected") or context.get("expected_tags"))
        valid = [part.strip(" '") for part in expected.replace(" or ", ",").split(",")]
        if detail["type"] == "union_tag_invalid":
            tag = str(context["discriminator"]).strip("'")
            value, name = value[tag], _dotted(name, tag)
            place = document.place((*loc, tag))
        repair = nearest(str(value), valid) or _one_of(valid)
        return f"{place}: {name} is {shown_value(value)}{repair}"
    if detail["type"] == "union_tag_not_found":
        tag = str(context["discriminator"]).strip("'")
        return f"{place}: {_dotted(name, tag)!r} is missing; add it"
    if detail["type"] == "value_error":
        rule = shortened(str(context["error"]), _MAX_RULE_CHARACTERS)
        return f"{place}: {name + ': ' if name else ''}{rule}"
    return f"{place}: {name or 'the document'} is {shown_value(value)}; it must {_rule(detail)}"


def _rule(detail: ErrorDetails) -> str:
    """``be …`` or ``have …``: what the value has to do."""
    if detail["type"] in _RULES:
        return f"be {_RULES[detail['type']]}"
    message = detail["msg"].removeprefix("Input should be ")
    if message != detail["msg"]:
        return f"be {message}"
    # "Tuple should have at least 1 item after validation, not 0".
    return message.partition(" should ")[2].partition(" after validation")[0] or message


def _dotted(name: str, field: str) -> str:
    return f"{name}.{field}" if name else field


def _one_of(valid: Iterable[str]) -> str:
    return f"; use one of {', '.join(valid)}"


def _follow(
    candidates: list[type[BaseModel]], value: Any, loc: Loc
) -> tuple[list[type[BaseModel]], tuple[str | int, ...]]:
    """Walks pydantic's location through models and data.

    Pydantic puts the tag of a discriminated union into the location; the data has no such key.

    Returns:
        The models that the last key may belong to, and the location in the data.
    """
    models = candidates
    owners = models
    path: list[str | int] = []
    for part in loc:
        tagged = [candidate for candidate in models if part in _tags(candidate)]
        if tagged and not (isinstance(value, dict) and part in value):
            models = owners = tagged
            continue
        path.append(part)
        value = _item(value, part)
        owners = models
        if isinstance(part, str):
            models = [
                found
                for candidate in models
                if part in candidate.model_fields
                for found in _models_in(candidate.model_fields[part].annotation)
            ]
    return owners, tuple(path)


def _item(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(str(part))
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _tags(model: type[BaseModel]) -> set[Any]:
    """The values of a model's discriminator: what a union knows it by."""
    fields = [model.model_fields[name] for name in _DISCRIMINATORS if name in model.model_fields]
    return {value for field in fields for value in typing.get_args(field.annotation)}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Every pydantic model that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _models_in(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) is Literal or isinstance(annotation, types.NoneType):
        return []
    return [found for part in typing.get_args(annotation) for found in _models_in(part)]
