"""Adapters of other packages, found by the entry point group ``ablate.adapters``.

A package is looked for only when a variant names a kind that ablate does not have, and only then is
anything of it imported.
"""

import json
import sys
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import (
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
)

from ablate.spec.frozen import Cell, Frozen

GROUP = "ablate.adapters"


class OwnAdapter(Frozen):
    """The base of an adapter that another package declares.

    A subclass has ``kind: Literal[NAME]``, where NAME is that of its entry point, and its fields.
    What decides the function that is trained are the kind and all fields.

    Attributes:
        builder: The import path of its builder, ``package.module:function``. The function takes
            the adapter and SAM's image encoder, changes the encoder, and returns
            ``ablate.models.Adapted``. It is imported only where models are built.
    """

    builder: ClassVar[str]

    kind: str

    @property
    def distribution(self) -> str | None:
        """The installed package that declares the kind; None where there is none."""
        return next((point.dist.name for point in _declared(self.kind) if point.dist), None)

    def identity(self) -> dict[str, Any]:
        """What decides the function that is trained."""
        return self.model_dump(mode="json")

    def columns(self) -> dict[str, Cell]:
        """What sets this adapter apart from others of its kind, by column of a table."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}
        return {
            name: value if isinstance(value, Cell) else json.dumps(value, default=str)
            for name, value in fields.items()
        }

    def describe(self) -> str:
        """One line."""
        fields = ", ".join(f"{name} {value}" for name, value in self.columns().items())
        return f"{self.kind}: {fields}" if fields else self.kind


def own_or(built_in_kinds: Collection[str]) -> Callable[..., Any]:
    """The validator of adapters of these kinds and of those that installed packages have.

    Args:
        built_in_kinds: The kinds of ablate, which no package can replace.
    """

    def validated(value: Any, built_in: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        if isinstance(value, OwnAdapter):
            return value
        kind = value.get("kind") if isinstance(value, dict) else None
        found: list[EntryPoint] = []
        if isinstance(kind, str) and kind not in built_in_kinds:
            found = _declared(kind)
        if not found:
            # Behind a function, pydantic takes JSON's lists for Python's, which are no tuples.
            return built_in(_with_tuples(value) if info.mode == "json" else value)
        return _validated_by_package(value, found)

    return validated


def _validated_by_package(value: Any, found: Sequence[EntryPoint]) -> OwnAdapter:
    """The adapter, by the class that a package has for its kind.

    Raises:
        ValueError: If the package is broken or the value breaks its rules, in one line naming it.
    """
    try:
        # Through JSON, where lists may become tuples.
        return _loaded(found).model_validate_json(json.dumps(value))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'the mapping'}: {each['msg']}"
            for each in error.errors(include_url=False)
        )
        raise ValueError(f"{_name(found[0])} refuses it: {problems}") from None


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(each) for key, each in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def dumped(
    value: Any, built_in: SerializerFunctionWrapHandler, info: SerializationInfo
) -> dict[str, Any]:
    """The adapter as plain values, by its own class."""
    if isinstance(value, OwnAdapter):
        return value.model_dump(mode=info.mode)
    plain: dict[str, Any] = built_in(value)
    return plain


def _declared(kind: str) -> list[EntryPoint]:
    """The entry points of this name; none of a package that lies in the working folder."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        # A working folder that was removed holds no package.
        here = None
    return [
        point
        for point in _entry_points(kind, tuple(sys.path))
        if point.dist is None or Path(str(point.dist.locate_file(""))).resolve() != here
    ]


@lru_cache
def _entry_points(kind: str, path: tuple[str, ...]) -> EntryPoints:
    """All entry points of this name; what is installed on a path is looked up once."""
    return entry_points(group=GROUP, name=kind)


def _loaded(found: Sequence[EntryPoint]) -> type[OwnAdapter]:
    point, *others = found
    if others:
        both = " and ".join(_name(each) for each in found)
        raise ValueError(f"{both} have the same kind; uninstall one of the packages")
    try:
        loaded = point.load()
    except Exception as error:  # Whatever a foreign module raises when it is imported.
        line = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{_name(point)} cannot be loaded ({type(error).__name__}: {line}); "
            "repair or uninstall the package"
        ) from None
    if not (isinstance(loaded, type) and issubclass(loaded, OwnAdapter)):
        raise ValueError(
            f"{_name(point)} is not a subclass of ablate.spec.OwnAdapter; repair the package"
        )
    if get_args(loaded.model_fields["kind"].annotation) != (point.name,):
        raise ValueError(
            f"{_name(point)} must have the field kind: Literal[{point.name!r}]; repair the package"
        )
    return loaded


def _name(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name}" if point.dist else ""
    return f"adapter {point.name!r} ({point.value}){package}"
