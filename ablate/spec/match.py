"""Equal numbers of parameters: a field whose value is found instead of declared."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field

from ablate.spec.frozen import Frozen


class Match(Frozen):
    """The value of one field is found, so that two adapters have equally many parameters.

    What is counted are the parameters of the adapter alone: the mask decoder that is trained with
    it is many times larger, equal in all variants, and would hide every difference.

    Attributes:
        parameters: The variant whose adapter's number of parameters is to be reached.
        field: The dotted path of the whole number that is varied; the value that is declared for
            it is only where the search begins.
    """

    parameters: str
    field: str = Field(default="adapter.width", min_length=1)


def value_at(spec: BaseModel, field: str) -> Any:
    """What stands at a dotted path of a spec; None where there is no such path."""
    value: Any = spec
    for part in field.split("."):
        if isinstance(value, BaseModel):
            value = getattr(value, part, None) if part in type(value).model_fields else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def is_whole_number(value: object) -> bool:
    """Whether it is an integer; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole_numbers(spec: BaseModel) -> list[str]:
    """The dotted paths of all whole numbers in a spec."""
    return list(_whole_numbers(spec.model_dump(), ""))


def _whole_numbers(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _whole_numbers(below, f"{path}.{name}" if path else name)
    elif is_whole_number(value):
        yield path
