"""Every field of every spec changes something: a model, a training, the data, a plan or a report.

The fields are read from the pydantic models, so a field that is not shown to do anything fails here
by its name. What is altered for each, and what shows the difference, is in ``*_changes``.
"""

import itertools
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import torch
from pydantic import BaseModel

from ablate.spec import AtlAdapter, Frozen, NoAdapter, Protocol, Sweep, Variant
from field_changes import CHANGES, NAMED, UNIONS, Change, named
from observed_protocols import forget

_ROOTS = {"Variant": Variant, "Protocol": Protocol, "Sweep": Sweep}
_MODULES = (
    "pixels",
    "variant",
    "adapter",
    "peft_adapter",
    "block_adapters",
    "protocol",
    "split",
    "task",
    "match",
    "sweep",
    "tuning",
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As SAM-nano trains: more threads are slower, and could round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# Fields, from the models themselves -------------------------------------------------------


def arguments(annotation: Any) -> tuple[Any, ...]:
    """What an annotation is made of; nothing for a class or a value."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[:1]
    return () if get_origin(annotation) is Literal else get_args(annotation)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, those of their fields included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for argument in arguments(annotation):
        yield from models_in(argument)


def choices_in(annotation: Any) -> set[Any]:
    """The values of all Literals in an annotation."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {choice for each in arguments(annotation) for choice in choices_in(each)}


def members_of(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The models of a union of two or more; nothing for any other annotation."""
    (inner,) = arguments(annotation) if get_origin(annotation) is Annotated else (annotation,)
    models = [
        each for each in arguments(inner) if isinstance(each, type) and issubclass(each, BaseModel)
    ]
    return tuple(models) if len(models) > 1 else ()


MODELS = {model.__name__: model for root in _ROOTS.values() for model in models_in(root)}
ANNOTATIONS = {
    f"{name}.{field}": info.annotation
    for name, model in MODELS.items()
    for field, info in model.model_fields.items()
}
UNION_FIELDS = {
    name: members_of(annotation)
    for name, annotation in (ANNOTATIONS | _ROOTS).items()
    if members_of(annotation)
}


def is_discriminator(name: str) -> bool:
    """Whether the field has one value only, which tells its model from others of a union."""
    members = {each.__name__ for models in UNION_FIELDS.values() for each in models}
    return name.partition(".")[0] in members and len(choices_in(ANNOTATIONS[name])) == 1


def is_container(name: str) -> bool:
    """Whether it is nothing but a model, whose fields are looked at by themselves."""
    annotation = ANNOTATIONS[name]
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


FIELDS = [
    name
    for name in ANNOTATIONS
    if not (name in UNION_FIELDS or is_container(name) or is_discriminator(name))
]


def differing(first: Any, second: Any, owner: str = "") -> set[str]:
    """The fields in which two values differ, each by the innermost model that has it."""
    if type(first) is type(second) and isinstance(first, BaseModel):
        name = type(first).__name__
        return {
            each
            for field in type(first).model_fields
            for each in differing(getattr(first, field), getattr(second, field), f"{name}.{field}")
        }
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return {
            each
            for one, other in zip(first, second, strict=True)
            for each in differing(one, other, owner)
        }
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return {each for key in first for each in differing(first[key], second[key], owner)}
    return set() if first == second else {owner}


def values_at(spec: Any, name: str) -> Iterator[Any]:
    """The values of a field wherever it occurs in a spec, without the tuples around them."""
    if isinstance(spec, tuple | dict):
        for each in spec.values() if isinstance(spec, dict) else spec:
            yield from values_at(each, name)
    if isinstance(spec, BaseModel):
        for field in type(spec).model_fields:
            value = getattr(spec, field)
            if f"{type(spec).__name__}.{field}" == name:
                yield from value if isinstance(value, tuple) else (value,)
            yield from values_at(value, name)


# The promise ------------------------------------------------------------------------------


def check(name: str, change: Change) -> None:
    """Fails unless every two of the specs do different things."""
    seen = [change.observe(spec) for spec in change.specs]
    for (one, this), (other, that) in itertools.combinations(
        zip(change.specs, seen, strict=True), 2
    ):
        assert this != that, f"{name} changes nothing between\n{one}\nand\n{other}"


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_changes_something(name: str) -> None:
    if name in NAMED:
        assert len(choices_in(ANNOTATIONS[name])) == 1
        assert NAMED[name] in named()
        return
    if name not in CHANGES:
        pytest.fail(f"nothing shows what {name} changes: add it to tests/*_changes.py")
    change = CHANGES[name]
    for other in change.specs[1:]:
        assert differing(change.specs[0], other) == {name}, "only this field may be altered"
    used = [value for spec in change.specs for value in values_at(spec, name)]
    never = [choice for choice in choices_in(ANNOTATIONS[name]) if choice not in used]
    assert not never, "a choice was never made"
    check(name, change)


@pytest.mark.parametrize("name", UNION_FIELDS)
def test_every_member_of_a_union_is_something_of_its_own(name: str) -> None:
    if name not in UNIONS:
        pytest.fail(f"nothing shows what {name} chooses: add it to UNIONS in field_changes.py")
    change = UNIONS[name]
    chosen = change.specs
    if name not in _ROOTS:
        chosen = tuple(value for spec in change.specs for value in values_at(spec, name))
    assert sorted(type(each).__name__ for each in chosen) == sorted(
        member.__name__ for member in UNION_FIELDS[name]
    )
    check(name, change)


def test_no_change_is_registered_for_a_field_that_is_gone() -> None:
    assert CHANGES.keys() | NAMED.keys() <= set(FIELDS)
    assert UNIONS.keys() <= UNION_FIELDS.keys()
    assert not CHANGES.keys() & NAMED.keys()


def test_no_spec_is_out_of_sight() -> None:
    """Every model that the modules define is reached from a variant, protocol or sweep."""
    defined = {
        value.__name__
        for module in _MODULES
        for value in vars(sys.modules[f"ablate.spec.{module}"]).values()
        if isinstance(value, type)
        and issubclass(value, Frozen)
        and value.__module__ == f"ablate.spec.{module}"
        and not value.__name__.startswith("_")
    }
    assert defined == MODELS.keys()


# The test itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    {each.observe: each for each in (*CHANGES.values(), *UNIONS.values())}.values(),
    ids=lambda change: change.observe.__name__,
)
def test_equal_specs_are_observed_to_do_the_same(change: Change) -> None:
    spec = change.specs[0]
    first = change.observe(spec)
    forget()
    assert change.observe(spec) == first


def test_a_knob_that_does_nothing_is_found() -> None:
    class Idle(Frozen):
        turns: int

    idle = Change((Idle(turns=1), Idle(turns=2)), lambda spec: "a model")
    with pytest.raises(AssertionError, match=r"Idle\.turns changes nothing"):
        check("Idle.turns", idle)


def test_fields_are_found_wherever_they_hide() -> None:
    class Inner(Frozen):
        depth: int

    class Outer(Frozen):
        inner: Inner | None
        many: tuple[Annotated[AtlAdapter | NoAdapter, "tagged"], ...]

    assert [model.__name__ for model in models_in(dict[str, Outer])] == [
        "Outer",
        "Inner",
        "AtlAdapter",
        "NoAdapter",
    ]
    none = NoAdapter(kind="none")
    first, second = (Outer(inner=Inner(depth=depth), many=(none,)) for depth in (1, 2))
    assert differing(first, second) == {"Inner.depth"}
    assert differing(first, Outer(inner=None, many=(none,))) == {"Outer.inner"}
    assert differing(first, Outer(inner=Inner(depth=1), many=())) == {"Outer.many"}
    assert list(values_at(first, "Outer.many")) == [none]
