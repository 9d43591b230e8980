"""How a change of one field is declared: specs that differ in it, and what shows the difference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ablate.spec import Frozen

Spec = TypeVar("Spec", bound=Frozen)


@dataclass(frozen=True)
class Change:
    """Specs that differ in one field alone, and what is to differ with it.

    Attributes:
        specs: Two or more; of a field with a list of choices, every choice is among them.
        observe: What a spec does, as a value to compare.
    """

    specs: tuple[Frozen, ...]
    observe: Callable[[Any], object]


def altered(spec: Spec, field: str, value: Any) -> Spec:
    """The spec with another value at a dotted path, validated anew."""
    content = spec.model_dump()
    *parents, last = field.split(".")
    below = content
    for parent in parents:
        below = below[parent]
    below[last] = value
    return type(spec).model_validate(content)


def along(
    spec: Spec, field: str, values: tuple[Any, ...], observe: Callable[[Spec], object]
) -> Change:
    return Change(tuple(altered(spec, field, value) for value in values), observe)
